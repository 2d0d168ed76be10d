#!/bin/sh
# Draws what compose.yaml needs that is secret, into the folder secrets/ beside it, for your account alone. Run it once:
#   sh deploy/make-secrets.sh
# What is there already stays. Put the vendors' credentials beside, a file for each variable, named as it:
#   printf %s THE-TOKEN > secrets/engine/HAKUNA_TOKEN
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets/engine secrets/broker secrets/flower
draw() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
put() { [ -e "$1" ] || printf '%s' "$2" > "$1"; }
key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
put secrets/postgres_password "$(draw 24)"
put secrets/rabbitmq_password "$(draw 24)"
rabbitmq=$(cat secrets/rabbitmq_password)
put secrets/rabbitmq.conf "default_user = syncengine
default_pass = $rabbitmq
"
url="amqp://syncengine:$rabbitmq@rabbitmq:5672//"
for folder in engine broker flower; do put "secrets/$folder/SYNCENGINE_BROKER_URL" "$url"; done
put secrets/engine/SYNCENGINE_DATABASE_URL \
    "postgresql+psycopg://syncengine:$(cat secrets/postgres_password)@postgres:5432/syncengine"
put secrets/engine/SYNCENGINE_ENCRYPTION_KEYS "$(key)"
put secrets/flower/FLOWER_BASIC_AUTH "syncengine:$(draw 12)"
# The containers' accounts are others: the files are readable, and the folder around them is yours alone.
chmod 755 secrets/engine secrets/broker secrets/flower
find secrets -type f -exec chmod 444 {} +
chmod 700 secrets
echo "secrets/ is ready. Keep a copy of secrets/engine/SYNCENGINE_ENCRYPTION_KEYS apart from the database's backups."
echo "Flower asks for: $(cat secrets/flower/FLOWER_BASIC_AUTH | cut -d: -f1), password in secrets/flower/FLOWER_BASIC_AUTH"
