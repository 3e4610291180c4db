"""Where a bucket answers: its address and signing region, as botocore resolves them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from urllib3 import HTTPResponse

from autoloader.errors import UsageError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from autoloader.objects.access import Access


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a bucket.

    Attributes:
        url: of the bucket, without a slash at the end; the bucket is in the host or is the end of the path.
        region: the one requests are signed for.
    """

    url: str
    region: str

    def object_url(self, key: str) -> str:
        """The address of an object: every byte of the key encoded but letters, digits and ``-._~/``."""
        return f"{self.url}/{quote(key, safe='/~')}"


def resolve_endpoint(access: Access, bucket: str, region: str | None) -> Endpoint:
    """Ask botocore where it would send a listing of the bucket, by stopping that request before it leaves.

    Raises:
        UsageError: the endpoint or the region cannot be one.
    """
    addresses: list[str] = []

    def stop(request: AWSPreparedRequest, **_: object) -> Any:  # noqa: ANN401  an answer given here stops the request; the stubs do not know
        addresses.append(request.url)
        body = HTTPResponse(BytesIO(b"<ListBucketResult/>"), preload_content=False)
        return AWSResponse(request.url, 200, request.headers, body)

    try:
        client: Any = access.session.create_client(
            "s3", region_name=region, endpoint_url=access.endpoint_url, config=Config(signature_version=UNSIGNED)
        )
        client.meta.events.register("before-send.s3.ListObjectsV2", stop)
        client.list_objects_v2(Bucket=bucket)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"Bucket {bucket!r} cannot be addressed: {error}", field="source_credentials") from error
    client.close()
    url, _, _ = addresses[0].partition("?")
    return Endpoint(url.rstrip("/"), client.meta.region_name)
