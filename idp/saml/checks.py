"""The checks of one message in the order in which they were made, for the message inspector. Leaves keeping them to
idp.services.saml_messages, and the words for each code to the text catalogue (`saml_check.CODE`, `saml_cure.CODE`)."""

from idp.domain.saml import MessageCheck


class Checks:
    """Readers write here what they looked at. It decides nothing: refusing is for the reader."""

    def __init__(self) -> None:
        self.made: list[MessageCheck] = []

    def passed(self, code: str, detail: str = "") -> None:
        self.made.append(MessageCheck(code, True, detail[:300]))

    def failed(self, code: str, detail: str = "") -> None:
        self.made.append(MessageCheck(code, False, detail[:300]))
