"""The order of these tests, and what several of them begin with."""
import pytest

from certificates import make_certificates


def pytest_collection_modifyitems(items):
    """What compiles Go begins first: at the end nothing would be left to run beside it."""
    items.sort(key=lambda item: not item.path.stem.endswith(("_go", "_victoria_logs")))


@pytest.fixture
def receive(make_shipper, ingester, tmp_path):
    """receive(scrape config, ...) - a shipper that receives so and pushes to the ingester; not started."""
    def make(*scrapes, url=None, client="", more="", arguments=(), name="shipper", state=None):
        config = ("positions: {filename: %s/positions.yml, sync_period: 200ms}\ntarget_config: {sync_period: 200ms}\n"
                  "clients: [{%surl: '%s/loki/api/v1/push', batchwait: 50ms, backoff_config: {min_period: 50ms, max_period: 100ms}}]\n%s\nscrape_configs:\n%s"
                  % (state or tmp_path / "state", client, url or ingester.url, more, "".join("- %s\n" % s.replace("\n", "\n  ") for s in scrapes)))
        return make_shipper(name, config=config, arguments=arguments)
    return make


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with ca.pem, and server.pem, client.pem, other.pem with their keys."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), "IP:127.0.0.1,DNS:localhost")
