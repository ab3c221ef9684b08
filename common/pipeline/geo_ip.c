#include "common/pipeline/geo_ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/float_text.h"
#include "common/wire/json_writer.h"

enum {
    OF_CITY = 1 << CW_GEO_IP_CITY,
    OF_ASN = 1 << CW_GEO_IP_ASN,
    OF_COUNTRY = 1 << CW_GEO_IP_COUNTRY
};

static const struct {
    const char *label;
    unsigned types; /* of databases that have it */
    const char *path[5];
} fields[] = {
    {"geoip_city_name", OF_CITY, {"city", "names", "en"}},
    {"geoip_country_name", OF_CITY | OF_COUNTRY, {"country", "names", "en"}},
    {"geoip_country_code", OF_CITY | OF_COUNTRY, {"country", "iso_code"}},
    {"geoip_continent_name", OF_CITY | OF_COUNTRY, {"continent", "names", "en"}},
    {"geoip_continent_code", OF_CITY | OF_COUNTRY, {"continent", "code"}},
    {"geoip_location_latitude", OF_CITY, {"location", "latitude"}},
    {"geoip_location_longitude", OF_CITY, {"location", "longitude"}},
    {"geoip_postal_code", OF_CITY, {"postal", "code"}},
    {"geoip_timezone", OF_CITY, {"location", "time_zone"}},
    /* The last one is the most specific. */
    {"geoip_subdivision_name", OF_CITY, {"subdivisions", "-1", "names", "en"}},
    {"geoip_subdivision_code", OF_CITY, {"subdivisions", "-1", "iso_code"}},
    {"geoip_autonomous_system_number", OF_ASN, {"autonomous_system_number"}},
    {"geoip_autonomous_system_organization", OF_ASN, {"autonomous_system_organization"}},
};
_Static_assert(CW_COUNT(fields) <= CW_GEO_IP_LABELS, "room for all");

struct cw_geo_ip {
    MMDB_s db;
    enum cw_geo_ip_type type;
};

int cw_geo_ip_open(const char *path, enum cw_geo_ip_type type, struct cw_geo_ip **out,
                   struct cw_err *err)
{
    struct cw_geo_ip *geo = cw_mem_new(sizeof *geo);
    errno = 0;
    int rc = MMDB_open(path, MMDB_MODE_MMAP, &geo->db);
    if (rc == MMDB_SUCCESS) {
        geo->type = type;
        *out = geo;
        return 0;
    }
    int errnum = errno;
    free(geo);
    if (rc == MMDB_FILE_OPEN_ERROR || rc == MMDB_IO_ERROR)
        return cw_err_errno(err, errnum == ENOENT ? CW_E_NOT_FOUND : CW_E_IO, errnum, "open %s",
                            path);
    return cw_err_set(err, CW_E_CORRUPT, "%s: %s", path, MMDB_strerror(rc));
}

void cw_geo_ip_close(struct cw_geo_ip **geo)
{
    if (*geo == NULL)
        return;
    MMDB_close(&(*geo)->db);
    free(*geo);
    *geo = NULL;
}

static bool parse_address(struct cw_str text, struct sockaddr_storage *out)
{
    char z[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (text.len == 0 || text.len >= sizeof z || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, z, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, z, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_family = AF_INET6;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        struct in_addr inner;
        memcpy(&inner, &v6->sin6_addr.s6_addr[12], sizeof inner);
        memset(out, 0, sizeof *out);
        v4->sin_addr = inner;
        v4->sin_family = AF_INET;
    }
    return true;
}

/* A value as Go prints it; empty: it is of a kind that these fields never are. */
static struct cw_str text_of(const MMDB_entry_data_s *data, struct cw_arena *arena)
{
    struct cw_buf buf;
    struct cw_str text = CW_STR_NONE;
    switch (data->type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
        return cw_arena_dup(arena, cw_str_make(data->utf8_string, data->data_size));
    case MMDB_DATA_TYPE_UINT16: return cw_arena_printf(arena, "%" PRIu16, data->uint16);
    case MMDB_DATA_TYPE_UINT32: return cw_arena_printf(arena, "%" PRIu32, data->uint32);
    case MMDB_DATA_TYPE_DOUBLE:
        cw_buf_init(&buf, 64);
        cw_float_text_general(data->double_value, &buf);
        text = cw_arena_dup(arena, cw_buf_str(&buf));
        cw_buf_fini(&buf);
        return text;
    default: return text;
    }
}

/* The entry of an address; false: it is no address, or not in the database. */
static bool find_entry(const struct cw_geo_ip *geo, struct cw_str address, MMDB_entry_s *out)
{
    struct sockaddr_storage storage;
    int rc;
    if (!parse_address(address, &storage))
        return false;
    MMDB_lookup_result_s result =
        MMDB_lookup_sockaddr(&geo->db, (const struct sockaddr *)&storage, &rc);
    *out = result.entry;
    return rc == MMDB_SUCCESS && result.found_entry;
}

size_t cw_geo_ip_lookup(const struct cw_geo_ip *geo, struct cw_str address, struct cw_arena *arena,
                        struct cw_label out[CW_GEO_IP_LABELS])
{
    MMDB_entry_s entry;
    size_t n = 0;
    if (!find_entry(geo, address, &entry))
        return 0;
    for (size_t i = 0; i < CW_COUNT(fields); i++) {
        MMDB_entry_data_s data;
        if (!(fields[i].types & 1u << geo->type) ||
            MMDB_aget_value(&entry, &data, fields[i].path) != MMDB_SUCCESS || !data.has_data)
            continue;
        struct cw_str value = text_of(&data, arena);
        if (value.len > 0)
            out[n++] = (struct cw_label){cw_str_of(fields[i].label), value};
    }
    return n;
}

/* ---- the whole record ---- */

static void json_scalar(const MMDB_entry_data_s *data, struct cw_json_writer *w)
{
    switch (data->type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
        cw_json_string(w, cw_str_make(data->utf8_string, data->data_size));
        break;
    case MMDB_DATA_TYPE_DOUBLE: cw_json_f64(w, data->double_value); break;
    case MMDB_DATA_TYPE_FLOAT: cw_json_f64(w, (double)data->float_value); break;
    case MMDB_DATA_TYPE_UINT16: cw_json_u64(w, data->uint16); break;
    case MMDB_DATA_TYPE_UINT32: cw_json_u64(w, data->uint32); break;
    case MMDB_DATA_TYPE_INT32: cw_json_i64(w, data->int32); break;
    case MMDB_DATA_TYPE_UINT64: cw_json_u64(w, data->uint64); break;
    case MMDB_DATA_TYPE_BOOLEAN: cw_json_bool(w, data->boolean); break;
    default: cw_json_null(w); /* bytes and numbers of 128 bits */
    }
}

/* Behind the last value; it is none. */
static const MMDB_entry_data_list_s list_end;

/* One value off the front of the list, which the library has made of the record and bounded in depth; NULL: it ends too early. */
static const MMDB_entry_data_list_s *json_value(const MMDB_entry_data_list_s *at,
                                                struct cw_json_writer *w)
{
    if (at == NULL || at == &list_end)
        return NULL;
    const MMDB_entry_data_s *data = &at->entry_data;
    bool map = data->type == MMDB_DATA_TYPE_MAP;
    const MMDB_entry_data_list_s *next = at->next != NULL ? at->next : &list_end;
    if (!map && data->type != MMDB_DATA_TYPE_ARRAY) {
        json_scalar(data, w);
        return next;
    }
    map ? cw_json_begin_object(w) : cw_json_begin_array(w);
    for (uint32_t i = 0; i < data->data_size && next != NULL; i++) {
        const MMDB_entry_data_s *key = &next->entry_data;
        if (next == &list_end || (map && key->type != MMDB_DATA_TYPE_UTF8_STRING))
            return NULL;
        if (map) {
            cw_json_key(w, cw_str_make(key->utf8_string, key->data_size));
            next = next->next;
        }
        next = json_value(next, w);
    }
    map ? cw_json_end_object(w) : cw_json_end_array(w);
    return next;
}

bool cw_geo_ip_json(const struct cw_geo_ip *geo, struct cw_str address, struct cw_buf *out)
{
    MMDB_entry_s entry;
    MMDB_entry_data_list_s *list = NULL;
    struct cw_json_writer w = cw_json_writer_make(out);
    if (!find_entry(geo, address, &entry))
        return false;
    bool whole = MMDB_get_entry_data_list(&entry, &list) == MMDB_SUCCESS &&
                 json_value(list, &w) != NULL && !cw_buf_failed(out);
    MMDB_free_entry_data_list(list);
    return whole;
}
