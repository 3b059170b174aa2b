#!/bin/sh
# Sends text files to be counted: each is stored as a file of the companion, and a work item names it.
# Sent twice, a file is stored once and counted once: its checksum is the idempotency key.
#
#   CLIENT_ID=… CLIENT_SECRET=… examples/send.sh FILE...
set -eu
issuer=${SHEAF_ISSUER:-http://127.0.0.1:8000} api=${SHEAF_API:-http://127.0.0.1:8001}

# One member of an answer; a refusal ends it all, with the sentence that says why.
field() { python3 -c 'import json, sys; told = json.load(sys.stdin); print(told.get(sys.argv[1]) or sys.exit(str(told)))' "$1"; }

token=$(curl -sS -u "$CLIENT_ID:$CLIENT_SECRET" "$issuer/token" -d grant_type=client_credentials \
  -d resource=urn:sheaf:api -d "scope=documents.write documents.read queues.publish" | field access_token)

call() { curl -sS -H "Authorization: Bearer $token" "$@"; }

for file in "$@"; do
  digest=$(openssl dgst -sha256 -binary "$file" | base64)
  id=$(call "$api/files/texts" --data-binary "@$file" -H "Content-Type: text/plain" -H "Idempotency-Key: file:$digest" \
    -H "Content-Disposition: attachment; filename=\"$(basename "$file")\"" -H "Repr-Digest: sha-256=:$digest:" | field id)
  item=$(call "$api/queues/counting/items" -H "Content-Type: application/json" -H "Idempotency-Key: item:$digest" \
    -d "{\"payload\": {}, \"files\": [{\"collection\": \"texts\", \"id\": \"$id\"}]}" | field id)
  echo "$file: $item"
done
