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
QUEUES_PUBLISH = "queues.publish"
QUEUES_CONSUME = "queues.consume"
QUEUES_MANAGE = "queues.manage"
API_SCOPES = (DOCUMENTS_READ, DOCUMENTS_WRITE, QUEUES_PUBLISH, QUEUES_CONSUME, QUEUES_MANAGE)

# The administrators' own API: nobody gets there with one of these alone.
ADMIN_SCOPE = "admin"
ADMIN_AUDIENCE = "urn:sheaf:admin"
