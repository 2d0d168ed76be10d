"""What the API answers and takes, as models: of these the OpenAPI document is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncengine.web.api.call import Body

Line = dict[str, Any]


class Answer(BaseModel):
    """A document. Times are epoch seconds."""

    model_config = ConfigDict(extra="forbid")


class StandingLine(Answer):
    """One thing that waits, stands still, is out of date or is left out."""

    code: str
    level: str
    count: int
    since: float | None
    about: dict[str, str]
    told: dict[str, str]
    text: str


class Standing(Answer):
    """How everything stands: `status --check --json`."""

    at: float
    level: Literal["ok", "note", "held", "ask", "fault"]
    exit_code: int
    verdict: str
    mapping: str
    lines: list[StandingLine]


class Taken(Answer):
    """Who looks at a question just now, so that nobody else begins, too. It lapses half an hour after `since`."""

    by: str
    since: float


class Question(Answer):
    """A question in a list."""

    id: str
    kind: str
    entity: str
    about: str
    connection: str | None
    external_id: str | None
    question: str
    answers: dict[str, str] = Field(description="answer -> what it does")
    opened_at: float
    closed_at: float | None
    answer: str | None
    author: str
    reason: str
    taken: Taken | None


class Questions(Answer):
    """A page of questions: the lines of `cases list --json`."""

    cases: list[Question]
    next: str = Field(description="the word `after` of the next page; empty at the end")


class Approval(Answer):
    """One of several approvals."""

    by: str
    at: float
    reason: str


class Approvals(Answer):
    """How far held writes are approved. Send `digest` with an approval: it says which writes were looked at.
    `part`: links of the held writes that these approvals are for, none where they are for all."""

    digest: str
    needed: int
    given: list[Approval]
    part: list[str]


class QuestionInFull(Question):
    """A question with its evidence: `cases show --json`."""

    sides: list[Line]
    writes: list[Line]
    vendor_says: str | None
    approvals: Approvals | None
    advice: Any


class AnswerGiven(Body):
    """An answer to a question. `digest`: of `approvals`, where held writes are approved; `answered` where a row that
    was left alone is said to be somebody after all."""

    answer: str = Field(max_length=200)
    reason: str = Field("", max_length=1000)
    digest: str | None = Field(None, max_length=100)


class Answered(Answer):
    """What an answer did: `cases answer --json`."""

    case: str
    answer: str
    done: str
    more_approvals: int = Field(description="how many people have to say the same first")
    rest: int = Field(description="about how many held writes is still asked")
    approvals: Approvals | None = Field(description="of what is still held; none where nothing is")


class RecordName(Answer):
    """A record in a list."""

    entity: str
    record: str
    name: str


class Records(Answer):
    """A page of records."""

    records: list[RecordName]
    next: str


class Record(BaseModel):
    """All that is known of a record: `explain --json`."""

    model_config = ConfigDict(extra="allow")

    record: str
    entity: str
    name: str
    fields: list[Line]


class Reason(Answer):
    """How a record stands in a connection, and why it does not agree."""

    connection: str
    code: str
    told: str
    case: str
    external_id: str | None
    since: float | None
    agreeing: list[str]


class Why(Answer):
    """How a record stands in each connection."""

    reasons: list[Reason]


class Done(BaseModel):
    """What was done."""

    model_config = ConfigDict(extra="allow")


class Export(BaseModel):
    """A person's data, uncovered: `export --json`."""

    model_config = ConfigDict(extra="allow")


class History(Answer):
    """A page of changes: the lines of `history --json`."""

    history: list[Line]
    next: str


class Reasoned(Body):
    """Why something is done."""

    reason: str = Field("", max_length=1000)


class Nothing(Body):
    """Nothing has to be sent."""


class Runs(BaseModel):
    """What happened in a time: `runs --json`."""

    model_config = ConfigDict(extra="allow")

    since: float
    until: float
    zone: str
    runs: list[Line]


class Operations(Answer):
    """A page of writes: the lines of `operations --json`."""

    operations: list[Line]
    next: str


class Plan(BaseModel):
    """What a sync would do: the summary of a stored plan."""

    model_config = ConfigDict(extra="allow")

    id: str
    at: float
    author: str
    digest: str
    groups: list[Line]


class Plans(Answer):
    """The plans that are kept, the newest first."""

    plans: list[Plan]


class Vote(Body):
    """Whether what a plan holds back is sent: an answer to its question, for the writes of this digest."""

    question: str = Field(max_length=100)
    answer: Literal["approve", "reject"]
    digest: str = Field(max_length=100)
    reason: str = Field("", max_length=1000)


class Connection(BaseModel):
    """How a connection stands: its part of `status --json`."""

    model_config = ConfigDict(extra="allow")


class Connections(Answer):
    """All of them."""

    connections: list[Connection]


class Paused(Answer):
    """Connections to which nothing is written: `pause --json`."""

    paused: list[str]


class Resumed(Answer):
    """Connections to which is written again: `resume --json`."""

    resumed: list[str]


class Upcoming(BaseModel):
    """What the coming days bring, as it was computed last."""

    model_config = ConfigDict(extra="allow")

    at: float
    upcoming: list[Line]


class AuditLine(Answer):
    """What a member did."""

    id: int
    at: float
    author: str
    way: str
    action: str
    about: str
    outcome: str
    address: str
    detail: Line


class Audit(Answer):
    """A page of what members did, the newest first."""

    audit: list[AuditLine]
    next: int | None


class Problem(Answer):
    """Why a call was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
