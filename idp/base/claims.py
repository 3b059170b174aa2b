"""Names of token claims and scopes that both halves (identity provider and companion) must agree on."""

ADMINISTRATOR = "administrator"  # the role that sees everything

# RFC 9068: JWT access tokens
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105  (a media type, RFC 9068 section 2.1)
CLIENT_ID = "client_id"
SCOPE = "scope"
ROLES = "roles"  # RFC 9068 section 2.2.3.1 / RFC 7643 section 4.1.2
GRANT = "grant_id"  # ours: the Grant this token hangs on, so that revocation reaches it

# Scopes of the companion API
DOCUMENTS_READ = "documents.read"
DOCUMENTS_WRITE = "documents.write"
DOCUMENTS_MANAGE = "documents.manage"  # collections, indexes, roles, keys; rights come on top
QUEUES_PUBLISH = "queues.publish"
QUEUES_CONSUME = "queues.consume"
QUEUES_MANAGE = "queues.manage"
API_SCOPES = (DOCUMENTS_READ, DOCUMENTS_WRITE, DOCUMENTS_MANAGE, QUEUES_PUBLISH, QUEUES_CONSUME, QUEUES_MANAGE)

# RFC 9396: what a token is narrowed to. A token with details of these types may do nothing but what they say.
AUTHORIZATION_DETAILS = "authorization_details"
DETAIL_DOCUMENTS = "sheaf_documents"  # {"type", "collections": [name], "rights": [right]}
DETAIL_QUEUES = "sheaf_queues"  # {"type", "queues": [name], "rights": [right], "max_priority": 0 to 9}
DETAIL_HANDOVER = (
    "sheaf_handover"  # {"type", "queue": name}: exchanged for being sent along with messages of that queue
)
COLLECTION_RIGHTS = ("read", "update", "delete", "share", "unseal", "insert", "manage")
QUEUE_RIGHTS = ("publish", "consume", "manage")
DETAIL_TYPES = (DETAIL_DOCUMENTS, DETAIL_QUEUES, DETAIL_HANDOVER)

# The administrators' own API: nobody gets there with one of these alone.
ADMIN_SCOPE = "admin"
ADMIN_AUDIENCE = "urn:sheaf:admin"
