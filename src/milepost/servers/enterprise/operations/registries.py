"""Editing the container registry: its credentials are proved, and then handed to every component.

The credentials themselves are no input: a job knows the id of a change that lies encrypted in the
data folder of the site.
"""

from dataclasses import dataclass
from typing import Final

from milepost.operations import Run, Service, operation, site
from milepost.security import SecurityError
from milepost.servers.enterprise.registry.address import read_registry_url
from milepost.servers.enterprise.registry.configuration import (
    COMPONENTS,
    Change,
    Configuration,
    UnknownChange,
)
from milepost.servers.enterprise.registry.credentials import Credentials, docker_config, read_docker_config
from milepost.servers.enterprise.registry.network import read_networks
from milepost.servers.enterprise.registry.protocol import RegistryError, Scheme, sign_in

SERVICE: Final = Service(
    name="System/ContainerRegistries.SystemServer",
    description="Changes of the container registry of the deployment",
    min_instances=0,
    max_instances=1,
)

VALIDATING: Final = "validating"


@dataclass
class Edited:
    """What came of an edit."""

    credentialUpdateOnly: bool  # noqa: N815 - the documents name it
    """Whether URL and repository stayed as they were."""


@operation(service=SERVICE, retries=2)
def edit_container_registry(run: Run, change: str) -> Edited:
    """Prove the new credentials, give them to one component after the other, and configure the registry.

    ``change`` is the id of the change to carry out.
    """
    run.plan_stages(VALIDATING, *COMPONENTS)
    try:
        wanted = _configuration().change(change)
        with run.stage(VALIDATING):
            if _prove(wanted, wanted.credentials) == "none":
                run.message(
                    "The registry asks for no credentials: whether these are right cannot be told.",
                    level="warning",
                )
        for component in COMPONENTS:
            with run.stage(component):
                run.on_rollback(take_back, component, change)
                run.step(component, give, component, change)
                if component == COMPONENTS[-1]:
                    run.on_rollback(deconfigure, change)
                    run.step("configuration", configure, change)
    except UnknownChange:
        raise RuntimeError(
            "there is no such change of the container registry; edit it under /admin/system/containerregistries"
        ) from None
    except (RegistryError, SecurityError) as error:
        raise RuntimeError(str(error)) from None
    return Edited(wanted.credentials_only)


def give(component: str, change: str) -> None:
    """Write the pull secret of a component, and sign in with what is in its file.

    Raises:
        RegistryError: the registry refuses what was written.
        SecurityError: it cannot be written.
    """
    configuration = _configuration()
    wanted = configuration.change(change)
    key = read_registry_url(wanted.registry_url).key
    configuration.give(component, docker_config(key, wanted.credentials), change)
    try:
        _prove(wanted, read_docker_config(configuration.pull_secret(component), key))
    except RegistryError as error:
        raise RegistryError(f"{component} cannot use its new credentials: {error}") from None


def take_back(component: str, change: str) -> None:
    """Undo ``give``."""
    _configuration().take_back(component, change)


def configure(change: str) -> None:
    """Make the change what is configured."""
    _configuration().configure(change)


def deconfigure(change: str) -> None:
    """Undo ``configure``."""
    _configuration().deconfigure(change)


def _prove(wanted: Change, credentials: Credentials) -> Scheme:
    return sign_in(read_registry_url(wanted.registry_url), credentials, read_networks(wanted.networks))


def _configuration() -> Configuration:
    return Configuration(site.data_folder())
