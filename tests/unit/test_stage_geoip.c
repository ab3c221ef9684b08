#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/stage_lines.h"

static void expect(const char *db, const char *type, const char *line, const char *want)
{
    char stages[1024];
    struct cw_stage_lines lines;
    snprintf(stages, sizeof stages,
             "- regex: {expression: '^(?P<ip>\\S+) .*'}\n"
             "- geoip: {db: '%s/%s', source: ip, db_type: %s}\n"
             "- labeldrop: [geoip_continent_name, geoip_timezone, geoip_postal_code]\n",
             getenv("CW_TEST_DATA"), db, type);
    cw_stage_lines_init(&lines, stages);
    cw_stage_lines_feed(&lines, line);
    cw_stage_lines_expect(&lines, want);
    cw_stage_lines_fini(&lines);
}

#define TIME "2026-01-05T09:00:00Z "

Test(stage_geoip, labels_say_where_an_address_is)
{
    expect(
        "geo_city.mmdb", "city", "192.0.2.1 GET /",
        TIME
        "{app=\"x\", geoip_city_name=\"Munich\", geoip_continent_code=\"EU\", geoip_country_code=\"DE\", geoip_country_name=\"Germany\", "
        "geoip_location_latitude=\"48.1374\", geoip_location_longitude=\"11.5755\", geoip_subdivision_code=\"BY\", "
        "geoip_subdivision_name=\"Bavaria\"} 192.0.2.1 GET /\n");
    expect(
        "geo_city.mmdb", "country", "2001:db8:1::2 GET /",
        TIME
        "{app=\"x\", geoip_continent_code=\"EU\", geoip_country_code=\"DE\", geoip_country_name=\"Germany\"} 2001:db8:1::2 GET /\n");
    expect(
        "geo_asn.mmdb", "asn", "192.0.2.1 GET /",
        TIME
        "{app=\"x\", geoip_autonomous_system_number=\"64496\", geoip_autonomous_system_organization=\"Example Net\"} 192.0.2.1 GET /\n");
}

Test(stage_geoip, further_labels_by_jmespath)
{
    static const char *const expressions =
        "asn, custom_lookups: {number: autonomous_system_number, org: "
        "'join(`\"-\"`, [autonomous_system_organization, `\"x\"`])', none: no.such, all: '@'}";
    expect(
        "geo_asn.mmdb", expressions, "192.0.2.1 GET /",
        TIME
        "{all=\"{\\\"autonomous_system_number\\\":64496,\\\"autonomous_system_organization\\\":\\\"Example Net\\\"}\", app=\"x\", "
        "geoip_autonomous_system_number=\"64496\", geoip_autonomous_system_organization=\"Example Net\", number=\"64496\", "
        "org=\"Example Net-x\"} 192.0.2.1 GET /\n");
    expect("geo_asn.mmdb", expressions, "203.0.113.1 GET /",
           TIME "{app=\"x\"} 203.0.113.1 GET /\n");
    expect(
        "geo_city.mmdb",
        "country, custom_lookups: {de: city.names.de, lat: location.latitude, deep: 'subdivisions[0].names.en', n: "
        "length(subdivisions)}",
        "192.0.2.1 GET /",
        TIME
        "{app=\"x\", de=\"M\xc3\xbcnchen\", deep=\"A larger one\", geoip_continent_code=\"EU\", geoip_country_code=\"DE\", "
        "geoip_country_name=\"Germany\", lat=\"48.1374\", n=\"2\"} 192.0.2.1 GET /\n");
    expect("geo_city.mmdb", "asn, custom_lookups: {n: length(subdivisions)}", "198.51.100.9 GET /",
           TIME "{app=\"x\", n=\"0\"} 198.51.100.9 GET /\n");
}

Test(stage_geoip, other_lines_go_on_as_they_are)
{
    expect("geo_city.mmdb", "city", "203.0.113.1 GET /", TIME "{app=\"x\"} 203.0.113.1 GET /\n");
    expect("geo_city.mmdb", "city", "example.com GET /", TIME "{app=\"x\"} example.com GET /\n");
    expect("geo_city.mmdb", "city", "word", TIME "{app=\"x\"} word\n");
}

Test(stage_geoip, a_database_that_is_not_there_is_an_error_of_the_configuration)
{
    cw_stage_lines_expect_error(
        "- geoip: {db: /nowhere/x.mmdb, source: ip}\n",
        "p.yml:2:3: pipeline_stages[0]: geoip: open /nowhere/x.mmdb: No such file or directory");
    cw_stage_lines_expect_error(
        "- geoip: {db: /nowhere/x.mmdb, source: ip, custom_lookups: {a-b: x}}\n",
        "p.yml:2:3: pipeline_stages[0]: geoip: custom_lookups: \"a-b\" is no name of a label");
    cw_stage_lines_expect_error("- geoip: {source: ip}\n",
                                "p.yml:2:10: pipeline_stages[0].geoip: the key \"db\" is missing");
}
