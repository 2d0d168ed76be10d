"""``members``: who may use the console, and with which roles."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncengine.cli import ui
from syncengine.cli.author import As, decider
from syncengine.model.member import Role
from syncengine.model.rights import Right, TokenRight

if TYPE_CHECKING:
    from syncengine.model.member import Member
    from syncengine.settings import Settings

members = typer.Typer(help="Who may use the console.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A member: `members list`.")]
Roles = Annotated[
    list[Role],
    typer.Option(
        "--role", help="What they may do; name several to add them up.", show_choices=True
    ),
]


Address = Annotated[
    str, typer.Option("--url", help="Where the console is reached, as https://sync.example.com.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(members, name="members", rich_help_panel="Service")


@members.command()
def add(
    name: Name, role: Roles, url: Address = "", by: As = None, as_json: ui.Json = False
) -> None:
    """Let somebody into the console, and print a link that signs them in once.

    Example: `syncengine members add kim --role answerer --role operator`
    """
    from syncengine.flows.people import members as people
    from syncengine.flows.people import signing_in

    with ui.engine() as opened:
        author = decider(opened, by, Right.MANAGE)
        member = people.add_member(opened, name, role, author)
        token, address = (
            signing_in.make_link(opened, member.name, author),
            opened.project.ways_in.address,
        )
    _tell_link(member, link_of(ui.settings(), token, url, address), as_json)


@members.command("list")
def list_members(as_json: ui.Json = False) -> None:
    """List who may use the console.

    Example: `syncengine members list`
    """
    from syncengine.flows.people import members as people

    with ui.engine() as opened:
        found = people.all_members(opened)
    if as_json:
        ui.emit({"members": [_document(member) for member in found]})
        return
    rows = ui.table("member", "roles", "signs in with", "since", below=("roles",))
    for member in found:
        cells = (ui.cell(", ".join(member.roles)), _way(member), ui.clock(member.created_at)[:10])
        rows.add_row(ui.cell(member.name), *cells)
    if not found:
        advice = "Nobody may use the console: syncengine members add NAME --role viewer"
        ui.screen().print(advice, markup=False)
        return
    ui.screen().print(rows)


@members.command()
def link(name: Name, url: Address = "", by: As = None, as_json: ui.Json = False) -> None:
    """Print a link that signs a member in once, within the hour: the first time, or for a forgotten password.

    Example: `syncengine members link kim`
    """
    from syncengine.flows.people import members as people
    from syncengine.flows.people import signing_in

    with ui.engine() as opened:
        token = signing_in.make_link(opened, name, decider(opened, by, Right.MANAGE))
        member = next(m for m in people.all_members(opened) if m.name == people.folded(name))
        address = opened.project.ways_in.address
    _tell_link(member, link_of(ui.settings(), token, url, address), as_json)


@members.command()
def roles(name: Name, role: Roles, by: As = None, as_json: ui.Json = False) -> None:
    """Give a member these roles and no others.

    Example: `syncengine members roles kim --role viewer`
    """
    from syncengine.flows.people import members as people

    with ui.engine() as opened:
        member = people.set_roles(opened, name, role, decider(opened, by, Right.MANAGE))
    _done(member, f"{member.name} is {', '.join(member.roles)}", as_json)


@members.command()
def limit(
    name: Name,
    entity: Annotated[
        list[str] | None, typer.Option("--entity", help="Nothing but what is of it.")
    ] = None,
    connection: Annotated[
        list[str] | None, typer.Option("--connection", help="Nothing but what is there.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="No other questions: as `cases list` has it.")
    ] = None,
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Limit what a member sees and does in the console. Name several to add them up; none lifts all limits.

    Example: `syncengine members limit kim --kind staged`
    """
    from syncengine.flows.people import members as people
    from syncengine.model.case import CaseKind
    from syncengine.model.member import Scope

    with ui.engine() as opened:
        for what, words, known in (
            ("--entity", entity, list(opened.project.entities)),
            ("--connection", connection, list(opened.project.connections)),
            ("--kind", kind, [str(k) for k in CaseKind]),
        ):
            for word in words or ():
                ui.known(what, word, known)
        limits = Scope(tuple(entity or ()), tuple(connection or ()), tuple(kind or ()))
        member = people.limit(opened, name, limits, decider(opened, by, Right.MANAGE))
    told = "; ".join(
        f"{what}: {', '.join(words)}" for what, words in asdict(limits).items() if words
    )
    _done(
        member,
        f"{member.name} is limited to {told}" if told else f"{member.name} is not limited",
        as_json,
    )


@members.command()
def password(name: Name, by: As = None, as_json: ui.Json = False) -> None:
    """Set a member's password, which is asked for, or read from standard input.

    Example: `syncengine members password kim`
    """
    from syncengine.flows.people import signing_in

    given = (
        getpass.getpass("New password: ")
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\r\n")
    )
    with ui.engine() as opened:
        signing_in.set_password(opened, name, given, decider(opened, by, Right.MANAGE, of=name))
    if as_json:
        ui.emit({"done": "set password"})
    else:
        ui.screen().print(
            "Done: the password is set; whoever was signed in by that name is not any more."
        )


@members.command()
def token(
    name: Name,
    label: Annotated[str, typer.Option("--for", help="What it is for.")],
    right: Annotated[
        list[TokenRight], typer.Option("--right", help="What it may do; name several.")
    ],
    days: Annotated[int, typer.Option(min=1, max=365, help="For how long.")] = 90,
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Make a token with which a program uses the API for a member, and print it once.

    Example: `syncengine members token kim --for "the monitor" --right watch`
    """
    from syncengine.flows.people import tokens as api

    with ui.engine() as opened:
        made, secret = api.make_token(
            opened,
            name,
            label,
            [r.value for r in right],
            days,
            decider(opened, by, Right.MANAGE, of=name),
        )
    if as_json:
        ui.emit(
            {
                "token": secret,
                "id": made.id,
                "rights": list(made.rights),
                "expires_at": made.expires_at,
            }
        )
        return
    ui.screen().print(secret, markup=False, soft_wrap=True)
    ui.aside().print(f"It is shown this once, and opens until {ui.clock(made.expires_at)[:10]}.")


@members.command()
def tokens(name: Name, as_json: ui.Json = False) -> None:
    """List the tokens of a member.

    Example: `syncengine members tokens kim`
    """
    from syncengine.flows.people import members as people
    from syncengine.flows.people import tokens as api

    with ui.engine() as opened:
        member = next(
            (m for m in people.all_members(opened) if m.name == people.folded(name)), None
        )
        if member is None:
            raise typer.BadParameter(
                "no such member: see `syncengine members list`", param_hint="NAME"
            )
        found = [
            (g.id, g.name or "", g.rights, g.expires_at) for g in api.tokens_of(opened, member)
        ]
    if as_json:
        names = ("id", "for", "rights", "expires_at")
        ui.emit({"tokens": [dict(zip(names, line, strict=True)) for line in found]})
        return
    rows = ui.table("token", "for", "rights", "until")
    for id_, label, rights, until in found:
        rows.add_row(
            ui.short(id_), ui.cell(label), ui.cell(", ".join(rights)), ui.clock(until)[:10]
        )
    ui.screen().print(rows if found else f"{member.name} has no token.")


@members.command()
def revoke(
    name: Name,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id: `members tokens`.")],
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """End a token at once.

    Example: `syncengine members revoke kim 3f9a12cd`
    """
    from syncengine.flows.people import tokens as api

    with ui.engine() as opened:
        api.revoke_token(opened, name, token, decider(opened, by, Right.MANAGE, of=name))
    if as_json:
        ui.emit({"done": "revoked"})
    else:
        ui.screen().print("Done: it opens nothing any more.")


@members.command()
def join(
    name: Name,
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="The same person, as the provider knows them.")
    ],
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Say that a member who was added here and one whom the provider knows are one person. OTHER is locked; NAME comes
    in by the provider, too, and has the roles of their groups there from the next time on.

    Example: `syncengine members join kim "kim keller"`
    """
    from syncengine.flows.people import members as people

    with ui.engine() as opened:
        member = people.join_members(opened, name, other, decider(opened, by, Right.MANAGE))
    _done(member, f"{member.name} is one member, by all ways in", as_json)


@members.command()
def lock(name: Name, by: As = None, as_json: ui.Json = False) -> None:
    """Shut a member out at once. What they decided stays.

    Example: `syncengine members lock kim`
    """
    from syncengine.flows.people import members as people

    with ui.engine() as opened:
        member = people.lock(opened, name, decider(opened, by, Right.MANAGE))
    _done(member, f"{member.name} is locked", as_json)


@members.command()
def unlock(name: Name, by: As = None, as_json: ui.Json = False) -> None:
    """Let a member in again, also one who gave too many wrong passwords.

    Example: `syncengine members unlock kim`
    """
    from syncengine.flows.people import members as people

    with ui.engine() as opened:
        member = people.unlock(opened, name, decider(opened, by, Right.MANAGE))
    _done(member, f"{member.name} is let in again", as_json)


def _way(member: Member) -> str:
    """How a member signs in."""
    ways = [
        *(["their company"] if member.subject is not None else []),
        *(["a password"] if member.password else []),
    ]
    return "locked" if member.locked else ", ".join(ways) or "a link"


def link_of(settings: Settings, token: str, url: str = "", address: str = "") -> str:
    """The address of a one-time link. Without ``url`` it begins as SYNCENGINE_WEB_URL says, or with the ``address`` of
    console.yaml, the first of our names, or this machine."""
    named = f"https://{settings.hosts[0]}" if settings.hosts else "http://127.0.0.1:8080"
    base = url or settings.web_url or address or named
    return f"{base.rstrip('/')}/link/{token}"


def _tell_link(member: Member, address: str, as_json: bool) -> None:
    if as_json:
        ui.emit({**_document(member), "link": address})
        return
    ui.screen().print(ui.cell(f"{member.name} is {', '.join(member.roles)}."))
    ui.screen().print("This link signs them in, once and within the hour:")
    ui.screen().print(address, markup=False, soft_wrap=True)


def _document(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "roles": list(member.roles),
        "password": bool(member.password),
        "provider": member.subject is not None,
        "limits": asdict(member.limits),
        "locked": member.locked,
        "created_at": member.created_at,
    }


def _done(member: Member, done: str, as_json: bool) -> None:
    if as_json:
        ui.emit(_document(member))
    else:
        ui.screen().print(ui.cell(f"Done: {done}."))
