"""The checks of one message in the order in which they were made: for the message inspector, the record of a sign-in, the test
of an upstream. Leaves keeping them to idp.services.saml_messages and sign_in_records, and the words for each code to the text
catalogue (`saml_check.CODE`, `upstream_check.CODE`; what to do about it: `saml_cure`, `upstream_cure`).
"""

from idp.domain.saml import MessageCheck


class Checks:
    """Readers write here what they looked at. It decides nothing: refusing is for the reader."""

    def __init__(self) -> None:
        self.made: list[MessageCheck] = []

    def passed(self, code: str, detail: str = "") -> None:
        self.made.append(MessageCheck(code, True, detail[:300]))

    def failed(self, code: str, detail: str = "") -> None:
        self.made.append(MessageCheck(code, False, detail[:300]))
