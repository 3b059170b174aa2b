"""The embedded store (SQLite) and the cluster store (MongoDB) behind one small contract, idp.ports.Repository."""
