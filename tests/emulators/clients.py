"""boto3 clients for an endpoint on this machine, and for nothing else."""

import ipaddress
import urllib.parse

import boto3
from botocore.config import Config

PRIMARY = "ap-south-1"
RECOVERY = "ap-south-2"
GLOBAL = "us-east-1"  # Route 53 signs for it wherever it is called from


def loopback(endpoint):
    """The endpoint without a trailing slash; ValueError unless it is on loopback."""
    parts = urllib.parse.urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme != "http" or not parts.port:
        raise ValueError(f"{endpoint!r} is not of the form http://127.0.0.1:PORT")
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ValueError(f"{endpoint!r} is not on loopback")
    return endpoint.rstrip("/")


class Clients:
    """One client per service and Region, made on first use. One attempt per call."""

    def __init__(self, endpoint):
        self.endpoint = loopback(endpoint)
        # Neither the profile, the credentials nor the proxies of whoever runs this.
        self._session = boto3.Session(
            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret",
        )
        self._config = Config(
            retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=30, proxies={},
            disable_request_compression=True, parameter_validation=True,
        )
        self._made = {}

    def __call__(self, service, region):
        key = (service, region)
        if key not in self._made:
            self._made[key] = self._session.client(
                service, region_name=region, endpoint_url=self.endpoint, config=self._config,
            )
        return self._made[key]
