#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/pipeline/geo_ip.h"

static struct cw_err err;

static struct cw_geo_ip *open_data(const char *name, enum cw_geo_ip_type type)
{
    char path[512];
    struct cw_geo_ip *geo = NULL;
    snprintf(path, sizeof path, "%s/%s", getenv("CW_TEST_DATA"), name);
    cr_assert_eq(cw_geo_ip_open(path, type, &geo, &err), 0, "%s", err.text);
    return geo;
}

/* "name=value " of each label. */
static const char *where(const struct cw_geo_ip *geo, const char *address)
{
    static char text[2048];
    struct cw_label labels[CW_GEO_IP_LABELS];
    struct cw_arena *arena = cw_arena_new();
    size_t n = cw_geo_ip_lookup(geo, cw_str_of(address), arena, labels), len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s=%.*s ",
                                CW_STR_ARG(labels[i].name), CW_STR_ARG(labels[i].value));
    cw_arena_free(&arena);
    return text;
}

#define MUNICH                                                                                                                     \
    "geoip_city_name=Munich geoip_country_name=Germany geoip_country_code=DE geoip_continent_name=Europe geoip_continent_code=EU " \
    "geoip_location_latitude=48.1374 geoip_location_longitude=11.5755 geoip_postal_code=80331 geoip_timezone=Europe/Berlin "       \
    "geoip_subdivision_name=Bavaria geoip_subdivision_code=BY "

Test(geo_ip, a_city_database_gives_promtails_labels)
{
    struct cw_geo_ip *geo = open_data("geo_city.mmdb", CW_GEO_IP_CITY);
    cr_expect_str_eq(where(geo, "192.0.2.1"), MUNICH);
    cr_expect_str_eq(where(geo, "::ffff:192.0.2.1"), MUNICH);
    cr_expect_str_eq(where(geo, "2001:db8:1::9"), MUNICH);
    cr_expect_str_eq(where(geo, "198.51.100.7"),
                     "geoip_country_name=France geoip_country_code=FR ");
    cw_geo_ip_close(&geo);
    geo = open_data("geo_city.mmdb", CW_GEO_IP_COUNTRY);
    cr_expect_str_eq(
        where(geo, "192.0.2.1"),
        "geoip_country_name=Germany geoip_country_code=DE geoip_continent_name=Europe geoip_continent_code=EU ");
    cw_geo_ip_close(&geo);
}

Test(geo_ip, an_asn_database_gives_number_and_organization)
{
    struct cw_geo_ip *geo = open_data("geo_asn.mmdb", CW_GEO_IP_ASN);
    cr_expect_str_eq(
        where(geo, "192.0.2.200"),
        "geoip_autonomous_system_number=64496 geoip_autonomous_system_organization=Example Net ");
    cr_expect_str_eq(where(geo, "2001:db8:1::9"), "", "a database of IPv4 only");
    cw_geo_ip_close(&geo);
}

Test(geo_ip, what_is_no_address_or_not_there_has_no_labels)
{
    static const char *const texts[] = {
        "",
        "192.0.2.128",
        "203.0.113.1",
        "2001:db8:2::1",
        "example.com",
        "192.0.2",
        "192.0.2.1:80",
        "fe80::1%eth0",
        "1234567890123456789012345678901234567890123456789012345678901234567890"};
    struct cw_geo_ip *geo = open_data("geo_city.mmdb", CW_GEO_IP_CITY);
    for (size_t i = 0; i < CW_COUNT(texts); i++)
        cr_expect_str_eq(where(geo, texts[i]), "", "%s", texts[i]);
    cw_geo_ip_close(&geo);
}

Test(geo_ip, files_that_are_no_database_are_refused)
{
    char path[512];
    struct cw_geo_ip *geo = NULL;
    snprintf(path, sizeof path, "%s/README.md", getenv("CW_TEST_DATA"));
    cr_expect_eq(cw_geo_ip_open(path, CW_GEO_IP_CITY, &geo, &err), CW_E_CORRUPT);
    cr_expect(strstr(err.text, "README.md: ") != NULL, "%s", err.text);
    cr_expect_eq(cw_geo_ip_open("/nowhere/x.mmdb", CW_GEO_IP_CITY, &geo, &err), CW_E_NOT_FOUND,
                 "%s", err.text);
    cr_expect_null(geo);
}

/* A byte of the tree or of the records may be wrong. (Not of the description at the end: with some of those libmaxminddb 1.7 does not
 * free all of what it read when it refuses the file.) */
Test(geo_ip, a_damaged_database_does_no_harm)
{
    char path[512], damaged[64];
    struct cw_buf bytes;
    cw_buf_init(&bytes, 1 << 20);
    snprintf(path, sizeof path, "%s/geo_city.mmdb", getenv("CW_TEST_DATA"));
    snprintf(damaged, sizeof damaged, "/tmp/geo_ip.%d", (int)getpid());
    cr_assert_eq(cw_file_read(path, 1 << 20, &bytes, &err), 0);
    ptrdiff_t description = cw_str_find(cw_buf_str(&bytes), CW_STR("\xab\xcd\xefMaxMind.com"));
    cr_assert_gt(description, 0);
    for (size_t i = 0; i < (size_t)description; i++) {
        FILE *file = fopen(damaged, "w");
        bytes.ptr[i] ^= (char)(1 << i % 8);
        fwrite(bytes.ptr, 1, bytes.len, file);
        fclose(file);
        bytes.ptr[i] ^= (char)(1 << i % 8);
        struct cw_geo_ip *geo = NULL;
        if (cw_geo_ip_open(damaged, CW_GEO_IP_CITY, &geo, &err) < 0)
            continue;
        where(geo, "192.0.2.1");
        where(geo, "2001:db8:1::9");
        cw_geo_ip_close(&geo);
    }
    unlink(damaged);
    cw_buf_fini(&bytes);
}
