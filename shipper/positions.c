#include "shipper/positions.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include "common/base/check_line.h"
#include "common/base/file.h"
#include "common/config/yaml_load.h"

#define POSITIONS_FIRST_LINE "cordwood-positions 2"
#define POSITIONS_FIRST_LINE_1 "cordwood-positions 1" /* has no `looked`, no `client` */
enum { SOURCE_FIELDS = 11 };

void cw_positions_path_encode(struct cw_str path, struct cw_buf *out)
{
    size_t plain = 0; /* [plain, i) is copied as it is */
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c > 0x20 && c != 0x7f && c != '%')
            continue;
        cw_buf_add(out, path.ptr + plain, i - plain);
        cw_buf_addf(out, "%%%02X", c);
        plain = i + 1;
    }
    cw_buf_add(out, path.ptr + plain, path.len - plain);
}

bool cw_positions_path_decode(struct cw_str text, struct cw_arena *arena, struct cw_str *out)
{
    char *path = cw_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (i + 2 >= text.len || cw_str_hex_digit(text.ptr[i + 1]) < 0 ||
                cw_str_hex_digit(text.ptr[i + 2]) < 0)
                return false;
            c = (char)(cw_str_hex_digit(text.ptr[i + 1]) * 16 + cw_str_hex_digit(text.ptr[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return false;
        path[len++] = c;
    }
    path[len] = '\0';
    *out = cw_str_make(path, len);
    return len > 0;
}

void cw_positions_head_encode(const struct cw_positions *positions, struct cw_buf *out)
{
    char hex[33];
    cw_id128_format(&positions->shipper, hex);
    cw_buf_addf(out, POSITIONS_FIRST_LINE "\nshipper %s\n", hex);
    for (size_t i = 0; i < positions->nsessions; i++) {
        cw_id128_format(&positions->sessions[i], hex);
        cw_buf_addf(out, "session %s\n", hex);
    }
    if (positions->looked_ns > 0)
        cw_buf_addf(out, "looked %" PRId64 "\n", positions->looked_ns);
    for (size_t i = 0; i < positions->nclients; i++) {
        const struct cw_known_client *client = &positions->clients[i];
        cw_id128_format(&client->id, hex);
        cw_buf_addf(out, "client %s %016" PRIx64 " ", hex, client->sends);
        cw_positions_path_encode(client->name, out);
        cw_buf_addc(out, '\n');
    }
    for (size_t i = 0; i < positions->ntenants; i++) {
        cw_buf_addz(out, "tenant ");
        cw_positions_path_encode(positions->tenants[i], out);
        cw_buf_addc(out, '\n');
    }
}

static void field_add(struct cw_buf *out, uint64_t n)
{
    cw_buf_addc(out, ' ');
    cw_buf_add_u64(out, n);
}

void cw_position_encode(const struct cw_position *source, struct cw_buf *out)
{
    const struct cw_file_identity *identity = &source->identity;
    char hex[33];
    cw_id128_format(&source->id, hex);
    cw_buf_addz(out, "source ");
    cw_buf_addz(out, hex);
    field_add(out, source->generation);
    field_add(out, source->offset);
    field_add(out, identity->dev);
    field_add(out, identity->ino);
    cw_buf_addc(out, ' ');
    cw_buf_add_i64(out, identity->birth_ns);
    field_add(out, identity->prefix_len);
    cw_buf_addc(out, ' ');
    cw_buf_add_hex64(out, identity->prefix_hash);
    cw_buf_addc(out, ' ');
    cw_positions_path_encode(source->path, out);
    cw_buf_addc(out, ' ');
    cw_positions_path_encode(source->path_now, out);
    cw_buf_addc(out, '\n');
}

void cw_positions_encode(const struct cw_positions *positions, struct cw_buf *out)
{
    size_t start = out->len;
    cw_positions_head_encode(positions, out);
    for (size_t i = 0; i < positions->nsources; i++)
        cw_position_encode(&positions->sources[i], out);
    cw_check_line_add(out, start);
}

static bool client_decode(struct cw_str line, struct cw_arena *arena, struct cw_known_client *out)
{
    struct cw_str word, id, sends;
    return cw_str_split(&line, ' ', &word) && cw_str_split(&line, ' ', &id) &&
           cw_str_split(&line, ' ', &sends) && cw_id128_parse(id, &out->id) &&
           cw_check_line_hex(sends, &out->sends) &&
           cw_positions_path_decode(line, arena, &out->name);
}

static bool source_decode(struct cw_str line, struct cw_arena *arena, struct cw_position *out)
{
    struct cw_str fields[SOURCE_FIELDS], field;
    size_t n = 0;
    while (cw_str_split(&line, ' ', &field)) {
        if (n == SOURCE_FIELDS)
            return false;
        fields[n++] = field;
    }
    uint64_t prefix_len;
    struct cw_file_identity *identity = &out->identity;
    if (n != SOURCE_FIELDS || !cw_id128_parse(fields[1], &out->id) ||
        !cw_str_to_u64(fields[2], &out->generation) || !cw_str_to_u64(fields[3], &out->offset) ||
        !cw_str_to_u64(fields[4], &identity->dev) || !cw_str_to_u64(fields[5], &identity->ino) ||
        !cw_str_to_i64(fields[6], &identity->birth_ns) || !cw_str_to_u64(fields[7], &prefix_len) ||
        !cw_check_line_hex(fields[8], &identity->prefix_hash) ||
        !cw_positions_path_decode(fields[9], arena, &out->path) ||
        !cw_positions_path_decode(fields[10], arena, &out->path_now))
        return false;
    /* Offsets travel as JSON integers of 63 bits. */
    if (prefix_len > CW_FILE_PREFIX_BYTES || out->offset > INT64_MAX || out->generation > INT64_MAX)
        return false;
    identity->prefix_len = (uint32_t)prefix_len;
    return true;
}

/* In memory that is used again for the next one. */
static bool source_tell(struct cw_str line, struct cw_arena *one, cw_position_fn fn, void *arg)
{
    struct cw_position source;
    cw_arena_reset(one);
    bool ok = source_decode(line, one, &source);
    if (ok)
        fn(arg, &source);
    return ok;
}

static int lines_walk(struct cw_str bytes, struct cw_arena *arena, struct cw_arena *one,
                      struct cw_positions *out, cw_position_fn fn, void *arg, struct cw_err *err)
{
    struct cw_positions p = {0};
    size_t sessions_cap = 0, clients_cap = 0, tenants_cap = 0, nline = 1;
    struct cw_str line, first = bytes;
    if (!cw_str_split(&first, '\n', &line) ||
        !(cw_str_eqz(line, POSITIONS_FIRST_LINE) || cw_str_eqz(line, POSITIONS_FIRST_LINE_1)))
        return cw_err_set(err, CW_E_CORRUPT,
                          "not a positions file of this version (its first line must be \"%s\")",
                          POSITIONS_FIRST_LINE);
    if (!cw_check_line_strip(&bytes))
        return cw_err_set(err, CW_E_CORRUPT, "bad checksum: the file was cut or edited");
    bool have_shipper = false;
    (void)cw_str_split(&bytes, '\n', &line);
    while (cw_str_split(&bytes, '\n', &line)) {
        bool ok = false;
        nline++;
        if (cw_str_starts(line, CW_STR("shipper "))) {
            ok = !have_shipper && cw_id128_parse(cw_str_sub(line, 8, line.len), &p.shipper);
            have_shipper = true;
        } else if (cw_str_starts(line, CW_STR("session "))) {
            p.sessions = cw_arena_grow(arena, p.sessions, p.nsessions, &sessions_cap,
                                       p.nsessions + 1, sizeof *p.sessions);
            ok = cw_id128_parse(cw_str_sub(line, 8, line.len), &p.sessions[p.nsessions++]);
        } else if (cw_str_starts(line, CW_STR("looked "))) {
            ok = p.looked_ns == 0 && cw_str_to_i64(cw_str_sub(line, 7, line.len), &p.looked_ns) &&
                 p.looked_ns > 0;
        } else if (cw_str_starts(line, CW_STR("client "))) {
            p.clients = cw_arena_grow(arena, p.clients, p.nclients, &clients_cap, p.nclients + 1,
                                      sizeof *p.clients);
            ok = client_decode(line, arena, &p.clients[p.nclients++]);
        } else if (cw_str_starts(line, CW_STR("tenant "))) {
            p.tenants = cw_arena_grow(arena, p.tenants, p.ntenants, &tenants_cap, p.ntenants + 1,
                                      sizeof *p.tenants);
            ok = cw_positions_path_decode(cw_str_sub(line, 7, line.len), arena,
                                          &p.tenants[p.ntenants++]);
        } else if (cw_str_starts(line, CW_STR("source "))) {
            ok = source_tell(line, one, fn, arg);
        } else if (line.len == 0 && bytes.len == 0) {
            ok = true; /* what is behind the last newline */
        }
        if (!ok)
            return cw_err_set(err, CW_E_CORRUPT, "line %zu is not understood", nline);
    }
    if (!have_shipper)
        return cw_err_set(err, CW_E_CORRUPT, "no line \"shipper\"");
    *out = p;
    return 0;
}

int cw_positions_walk(struct cw_str bytes, struct cw_arena *arena, struct cw_positions *out,
                      cw_position_fn fn, void *arg, struct cw_err *err)
{
    struct cw_arena *one = cw_arena_new();
    int rc = lines_walk(bytes, arena, one, out, fn, arg, err);
    cw_arena_free(&one);
    return rc;
}

struct collect {
    struct cw_arena *arena;
    struct cw_position *sources;
    size_t n, cap;
};

static void on_source(void *arg, const struct cw_position *source)
{
    struct collect *all = arg;
    all->sources = cw_arena_grow(all->arena, all->sources, all->n, &all->cap, all->n + 1,
                                 sizeof *all->sources);
    struct cw_position *copy = &all->sources[all->n++];
    *copy = *source;
    copy->path = cw_arena_dup(all->arena, source->path);
    copy->path_now = cw_arena_dup(all->arena, source->path_now);
}

int cw_positions_decode(struct cw_str bytes, struct cw_arena *arena, struct cw_positions *out,
                        struct cw_err *err)
{
    struct collect all = {.arena = arena};
    int rc = cw_positions_walk(bytes, arena, out, on_source, &all, err);
    if (rc == 0) {
        out->sources = all.sources;
        out->nsources = all.n;
    }
    return rc;
}

int cw_positions_load(const char *path, struct cw_arena *arena, struct cw_positions *out,
                      struct cw_err *err)
{
    struct cw_buf bytes;
    cw_buf_init(&bytes, CW_POSITIONS_BYTES);
    int rc = cw_file_read(path, CW_POSITIONS_BYTES, &bytes, err);
    if (rc == 0) {
        rc = cw_positions_decode(cw_buf_str(&bytes), arena, out, err);
        if (rc < 0)
            cw_err_wrap(err, "positions file %s", path);
    }
    cw_buf_fini(&bytes);
    return rc;
}

struct import_file {
    struct cw_config_map positions;
};

int cw_positions_import(struct cw_str yaml, const char *name, struct cw_arena *arena,
                        struct cw_promtail_position **out, size_t *n_out, size_t *nbad_out,
                        struct cw_err *err)
{
    static const struct cw_key_def keys[] = {
        {"positions", CW_KEY_MAP, offsetof(struct import_file, positions),
         .doc = "Offsets by path."},
    };
    static const struct cw_table_def table =
        CW_TABLE("promtail's positions", keys, struct import_file);
    static const struct cw_yaml_options options = {.max_bytes = CW_POSITIONS_PROMTAIL_BYTES};
    struct import_file file;
    int rc = cw_yaml_load_text(yaml, name, &table, &options, arena, &file, NULL, err);
    if (rc < 0)
        return rc;
    struct cw_promtail_position *positions =
        CW_ARENA_ARRAY(arena, struct cw_promtail_position, file.positions.n);
    size_t n = 0, nbad = 0;
    for (size_t i = 0; i < file.positions.n; i++) {
        const struct cw_config_pair *pair = &file.positions.items[i];
        uint64_t offset;
        if (cw_str_starts(pair->name, CW_STR("cursor-")) && pair->value.len > 0)
            positions[n++] = (struct cw_promtail_position){pair->name, 0, pair->value};
        if (!cw_str_starts(pair->name, CW_STR("/")))
            continue;
        if (cw_str_to_u64(pair->value, &offset) && offset <= INT64_MAX)
            positions[n++] = (struct cw_promtail_position){pair->name, offset, CW_STR_NONE};
        else
            nbad++;
    }
    *out = positions;
    *n_out = n;
    *nbad_out = nbad;
    return 0;
}
