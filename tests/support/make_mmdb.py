#!/usr/bin/env python3
"""Writes tests/data/geo_city.mmdb and geo_asn.mmdb: databases of documentation addresses, made by the package mmdb_writer."""
import os

from mmdb_writer import MMDBWriter
from netaddr import IPSet

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")


def main():
    city = MMDBWriter(6, "Test-City", ipv4_compatible=True, languages=["en", "de"], description="documentation addresses",
                      float_type="f64")
    city.insert_network(IPSet(["192.0.2.0/25", "2001:db8:1::/48"]), {
        "city": {"names": {"en": "Munich", "de": "München"}},
        "country": {"iso_code": "DE", "names": {"en": "Germany"}},
        "continent": {"code": "EU", "names": {"en": "Europe"}},
        "location": {"latitude": 48.1374, "longitude": 11.5755, "time_zone": "Europe/Berlin"},
        "postal": {"code": "80331"},
        "subdivisions": [{"iso_code": "XX", "names": {"en": "A larger one"}}, {"iso_code": "BY", "names": {"en": "Bavaria"}}],
    })
    city.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": "FR", "names": {"en": "France"}}, "subdivisions": []})
    city.to_db_file(os.path.join(DATA, "geo_city.mmdb"))
    asn = MMDBWriter(4, "Test-ASN", languages=["en"], description="documentation addresses", int_type="u32")
    asn.insert_network(IPSet(["192.0.2.0/24"]), {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"})
    asn.to_db_file(os.path.join(DATA, "geo_asn.mmdb"))


main()
