"""Owns, for each upstream kind, how a true and a lying counterpart of it is driven. A new kind adds one class here.

The suite that runs on every kind is test_every_kind.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from idp.ports import Departure
from tests.upstream.directory_double import DirectoryDouble
from tests.upstream.oauth2_double import GitHubCounterpart, OAuth2Counterpart
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING, OpenIdDouble
from tests.upstream.saml_answer import status
from tests.upstream.saml_double import WS_FEDERATION, SamlDouble
from tests.upstream.vendor_doubles import HOME, AdfsDouble, AzureDouble, GoogleDouble


class Double(Protocol):
    """The other side of one kind. `come_back` is what the browser brings after the person signed in there; the rest makes
    the next answer a lie."""

    def settings(self) -> dict[str, str]: ...

    def come_back(self, departure: Departure, subject: str) -> Mapping[str, str]: ...

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]: ...

    def say_no(self, params: Mapping[str, str]) -> Mapping[str, str]: ...

    def answer_expired(self) -> None: ...

    def answer_for_another_audience(self) -> None: ...

    def answer_from_another_issuer(self) -> None: ...

    def answer_without_subject(self) -> None: ...

    def answer_unsigned(self) -> None: ...

    def close(self) -> None: ...


class OidcDouble:
    def __init__(self, clock) -> None:
        self.provider = OpenIdDouble(clock)

    def settings(self) -> dict[str, str]:
        return {"issuer": self.provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def come_back(self, departure: Departure, subject: str) -> dict[str, str]:
        return self.provider.authorize(departure.url, subject)

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, "state": "x" * 43}

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]:
        return {"error": "access_denied", "state": params["state"], "iss": self.provider.issuer}

    def answer_expired(self) -> None:
        self.provider.lies = {"exp": int(self.provider.clock()) - 3600}

    def answer_for_another_audience(self) -> None:
        self.provider.lies = {"aud": "another-client"}

    def answer_from_another_issuer(self) -> None:
        self.provider.lies = {"iss": "https://evil.example"}

    def answer_without_subject(self) -> None:
        self.provider.lies = {"sub": MISSING}

    def answer_unsigned(self) -> None:
        self.provider.make_token = self.provider.unsigned

    def close(self) -> None:
        self.provider.close()


class Posted(Mapping[str, str]):
    """What a browser brings back, written when it is first read: lies that are told until then are in it."""

    def __init__(self, provider: SamlDouble, departure: Departure, subject: str) -> None:
        self._made = lambda: provider.respond(departure, subject)
        self.provider = provider
        self.departure = departure
        self._fields: dict[str, str] = {}

    def _written(self) -> dict[str, str]:
        self._fields = self._fields or self._made()
        return self._fields

    def __getitem__(self, name: str) -> str:
        return self._written()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._written())

    def __len__(self) -> int:
        return len(self._written())


class SamlCounterpart:
    def __init__(self, clock) -> None:
        self.provider = SamlDouble(clock)

    def settings(self) -> dict[str, str]:
        return {"metadata_url": self.provider.metadata_url}

    def come_back(self, departure: Departure, subject: str) -> Mapping[str, str]:
        return Posted(self.provider, departure, subject)

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, "RelayState": "x" * 43}

    def say_no(self, params: Mapping[str, str]) -> Mapping[str, str]:
        assert isinstance(params, Posted)
        return self.provider.respond(params.departure, status=status("Responder", "AuthnFailed"))

    def answer_expired(self) -> None:
        self.provider.lies = {"not_on_or_after": -3600.0, "confirmed_until": -3600.0}

    def answer_for_another_audience(self) -> None:
        self.provider.lies = {"audience": "https://another.example/sp"}

    def answer_from_another_issuer(self) -> None:
        self.provider.lies = {"issuer": "https://evil.example", "response_issuer": "https://evil.example"}

    def answer_without_subject(self) -> None:
        self.provider.lies = {"name_id": None}

    def answer_unsigned(self) -> None:
        self.provider.lies = {"sign": ()}

    def close(self) -> None:
        self.provider.close()


class AdfsCounterpart(SamlCounterpart):
    """Metadata with roles of WS-Federation, and claims instead of a NameID."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.provider.extra = WS_FEDERATION

    def settings(self) -> dict[str, str]:
        return {**super().settings(), "subject_attribute": "upn"}

    def come_back(self, departure: Departure, subject: str) -> Mapping[str, str]:
        self.provider.lies = {"name_id": None, "attributes": {UPN: (subject,)}}
        return Posted(self.provider, departure, subject)

    def answer_without_subject(self) -> None:
        self.provider.lies = {"name_id": None}


class GoogleCounterpart(OidcDouble):
    def __init__(self, clock) -> None:
        self.provider = GoogleDouble(clock)

    def settings(self) -> dict[str, str]:
        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]:
        return {"error": "access_denied", "state": params["state"]}


class AzureCounterpart(GoogleCounterpart):
    """Several tenants: everything is harder there."""

    def __init__(self, clock) -> None:
        self.provider = AzureDouble(clock, "organizations")

    def settings(self) -> dict[str, str]:
        return {**super().settings(), "tenant": "organizations", "allowed_tenants": HOME}

    def answer_without_subject(self) -> None:
        self.provider.lies = {"oid": MISSING}


class AdfsOidcCounterpart(OidcDouble):
    def __init__(self, clock) -> None:
        self.provider = AdfsDouble(clock)

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]:
        return {"error": "access_denied", "state": params["state"]}

    def answer_from_another_issuer(self) -> None:
        self.provider.lies = {"iss": self.provider.access_token_issuer}


class LdapCounterpart:
    """A directory: nobody is sent there, its people type their password on a page of ours."""

    kind = "ldap"

    def __init__(self) -> None:
        self.directory = DirectoryDouble()

    def settings(self) -> dict[str, str]:
        return {"url": self.directory.url, "base_dn": "dc=corp,dc=example", "starttls": "no", "groups_from": "none"}

    def person(self, subject: str) -> tuple[str, str]:
        """Name and password of a new person."""
        self.directory.add("ada", "right", entryUUID=subject, mail="ada@corp.example")
        return "ada", "right"

    def close(self) -> None:
        self.directory.close()


UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
DOUBLES: dict[str, type[Double]] = {"oidc": OidcDouble, "saml": SamlCounterpart, "adfs": AdfsCounterpart}
DOUBLES |= {"sheaf": OidcDouble, "adfs_oidc": AdfsOidcCounterpart}
DOUBLES |= {"google": GoogleCounterpart, "azure_ad": AzureCounterpart}
DOUBLES |= {"oauth2": OAuth2Counterpart, "github": GitHubCounterpart}
PASSWORD_DOUBLES = {"ldap": LdapCounterpart}
SUBJECTS = {"github": "583231"}  # where people have no names but numbers
