"""The device code grant (RFC 8628 3.4). Leaves every rule to services.device_flow."""

from idp.protocols.oidc.grants.answers import Answer, Answers, TokenRequest
from idp.services.device_flow import DeviceFlow


class DeviceCodeGrant:
    name = "urn:ietf:params:oauth:grant-type:device_code"

    def __init__(self, answers: Answers, device: DeviceFlow) -> None:
        self._answers = answers
        self._device = device

    def answer(self, request: TokenRequest) -> Answer:
        params = request.params
        issued = self._device.poll(
            request.client,
            params.required("device_code"),
            audiences=params.every("resource"),
            confirmation=request.confirmation,
            details=request.details,
        )
        return self._answers.for_person(request, issued)
