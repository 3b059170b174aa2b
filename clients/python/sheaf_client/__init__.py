"""A small client of the Sheaf companion: documents and queues, where every request carries its own token."""

from sheaf_client.attempts import new_key
from sheaf_client.client import AsyncClient, Client
from sheaf_client.problems import NoAnswer, Problem
from sheaf_client.tokens import ClientCredentials
from sheaf_client.unset import UNSET
from sheaf_client.watching import Change

__all__ = ["UNSET", "AsyncClient", "Change", "Client", "ClientCredentials", "NoAnswer", "Problem", "new_key"]
