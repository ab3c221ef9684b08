#include "shipper/audit.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/net/http_client.h"
#include "common/wire/delivery.h"
#include "shipper/positions.h"
#include "shipper/state_dir.h"
#include "shipper/tally_file.h"
#include "shipper/unpack.h"

enum { ANSWER_BYTES = 256 << 20, LOCK_BYTES = 1024 };

struct audit_source {
    struct cw_id128 id;
    const char *path;
    uint64_t size, position;
    bool size_known;
    bool is_text;     /* both are of the text of a compressed file; */
    bool unpacking;   /* and there may be more of it */
    bool packed_only; /* size is that of the compressed file, of the text's nothing is known */
    struct cw_tally *tally; /* NULL: nothing was counted */
};

struct audit {
    struct cw_arena *arena;
    const char *live; /* the URL of the running shipper that was asked, or NULL */
    struct audit_source *sources;
    size_t nsources, cap;
    struct cw_tally *forgotten;
    uint64_t nletters; /* dead letters on disk */
};

/* ---- gathering: the files ---- */

static struct audit_source *source_add(struct audit *audit)
{
    audit->sources = cw_arena_grow(audit->arena, audit->sources, audit->nsources, &audit->cap,
                                   audit->nsources + 1, sizeof *audit->sources);
    audit->sources[audit->nsources] = (struct audit_source){0};
    return &audit->sources[audit->nsources++];
}

static void on_tally(void *arg, const struct cw_id128 *id, struct cw_tally *tally)
{
    static const struct cw_id128 forgotten;
    struct audit *audit = arg;
    bool known = memcmp(id, &forgotten, sizeof *id) != 0;
    for (size_t i = 0; known && i < audit->nsources; i++) {
        if (memcmp(&audit->sources[i].id, id, sizeof *id) != 0 || audit->sources[i].tally != NULL)
            continue;
        audit->sources[i].tally = tally;
        return;
    }
    if (audit->forgotten == NULL)
        audit->forgotten = cw_tally_new();
    cw_tally_join(audit->forgotten, tally);
    cw_tally_free(&tally);
}

static int ledger_read(struct audit *audit, const char *path, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_TALLY_FILE_BYTES);
    int rc = cw_file_read(path, CW_TALLY_FILE_BYTES, &text, err);
    if (rc == 0)
        rc = cw_tally_file_decode(cw_buf_str(&text), on_tally, audit, err);
    cw_buf_fini(&text);
    return rc == CW_E_NOT_FOUND ? 0 : rc;
}

/* Offsets of a compressed file are those of its text: its own size says nothing of them. */
static void text_size_find(struct audit_source *source)
{
    const struct cw_tally *tally = source->tally;
    source->is_text = tally != NULL && tally->text_size > 0;
    source->packed_only =
        !source->is_text && source->size_known && cw_unpack_is_packed(source->path);
    if (!source->is_text)
        return;
    source->size = tally->text_size;
    source->unpacking = !tally->text_whole;
}

static int files_read(struct audit *audit, const char *positions_path, const char *ledger_path,
                      struct cw_err *err)
{
    struct cw_positions positions;
    int rc = cw_positions_load(positions_path, audit->arena, &positions, err);
    if (rc == CW_E_NOT_FOUND)
        return cw_err_set(err, rc,
                          "%s: no shipper has kept positions there; name the configuration that it "
                          "runs with (--config FILE), or the place of its state (--state-dir DIR)",
                          positions_path);
    for (size_t i = 0; rc == 0 && i < positions.nsources; i++) {
        const struct cw_position *known = &positions.sources[i];
        struct audit_source *source = source_add(audit);
        struct stat st;
        source->id = known->id;
        source->path = known->path_now.ptr;
        source->position = known->offset;
        source->size_known = stat(source->path, &st) == 0 && st.st_ino == known->identity.ino &&
                             st.st_dev == known->identity.dev;
        source->size = source->size_known ? (uint64_t)st.st_size : 0;
    }
    if (rc == 0)
        rc = ledger_read(audit, ledger_path, err);
    for (size_t i = 0; i < audit->nsources; i++)
        text_size_find(&audit->sources[i]);
    return rc;
}

/* ---- gathering: a running shipper ---- */

/* The URL behind the pid in the lock file of one that runs; NULL: none, or it serves nothing. */
static const char *running_url(struct audit *audit, const char *lock_path)
{
    char text[LOCK_BYTES];
    int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    bool runs = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    ssize_t len = pread(fd, text, sizeof text, 0);
    close(fd);
    struct cw_str rest = cw_str_make(text, len > 0 ? (size_t)len : 0), line;
    if (!runs || !cw_str_split(&rest, '\n', &line) || !cw_str_split(&rest, '\n', &line) ||
        line.len == 0)
        return NULL;
    return cw_arena_dup(audit->arena, line).ptr;
}

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n > 0 ? (uint64_t)n : 0;
}

static int targets_read(struct audit *audit, struct cw_str body, struct cw_err *err)
{
    json_error_t e;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, 0, &e);
    const json_t *sources = json_object_get(root, "sources");
    if (!json_is_array(sources)) {
        json_decref(root);
        return cw_err_set(err, CW_E_IO, "%s/targets: not the answer of a shipper", audit->live);
    }
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *object = json_array_get(sources, i);
        const char *path = json_string_value(json_object_get(object, "path_now"));
        struct audit_source *source = source_add(audit);
        source->path = cw_arena_dup(audit->arena, cw_str_of(path ? path : "")).ptr;
        source->position = number(object, "position");
        source->size = number(object, "size");
        source->size_known = json_is_true(json_object_get(object, "open"));
        source->is_text = json_object_get(object, "unpacking") != NULL;
        source->unpacking = json_is_true(json_object_get(object, "unpacking"));
        source->tally = cw_tally_from_json(json_object_get(object, "ledger"));
    }
    audit->forgotten = cw_tally_from_json(json_object_get(root, "forgotten"));
    json_decref(root);
    return 0;
}

static int live_read(struct audit *audit, struct cw_err *err)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    struct cw_http_call call = {
        .method = "GET",
        .url = cw_arena_printf(audit->arena, "%s/targets", audit->live).ptr,
        .headers = headers,
        .timeout_ns = 30 * CW_NS_PER_S,
        .max_answer_bytes = ANSWER_BYTES,
        /* Who may write the lock file says where it is; what it tells is not secret. */
        .insecure_skip_verify = true,
        .proxy_url = ""};
    struct cw_buf body;
    int status;
    cw_buf_init(&body, ANSWER_BYTES);
    int rc = cw_http_fetch(&call, &status, &body, err);
    if (rc == 0 && status != 200)
        rc = cw_err_set(err, CW_E_IO, "%s: HTTP status %d", call.url, status);
    if (rc == 0)
        rc = targets_read(audit, cw_buf_str(&body), err);
    cw_buf_fini(&body);
    return rc;
}

/* ---- dead letters ---- */

static uint64_t lines_count(const char *path)
{
    struct cw_file_map map;
    struct cw_err err;
    uint64_t n = 0;
    if (cw_file_map(path, &map, &err) < 0)
        return 0;
    for (size_t i = 0; i < map.len; i++)
        n += map.ptr[i] == '\n';
    cw_file_unmap(&map);
    return n;
}

/* ---- telling ---- */

static void reasons_print(const char *what, const struct cw_tally_reasons *reasons)
{
    size_t n = cw_tally_nreasons(reasons);
    for (size_t i = 0; i < n; i++)
        printf("%s%s %" PRIu64 " (%s)", i == 0 ? ", " : " + ", i == 0 ? what : "",
               reasons->items[i].n, reasons->items[i].why);
}

static void tally_print(const struct cw_tally *tally)
{
    printf("  read %" PRIu64 " lines, %" PRIu64 " bytes", tally->read, tally->read_bytes);
    if (tally->joined > 0)
        printf(", joined %" PRIu64, tally->joined);
    if (tally->made > 0)
        printf(", made %" PRIu64 " more", tally->made);
    reasons_print("dropped", &tally->dropped);
    if (tally->redacted > 0)
        printf(", redacted %" PRIu64, tally->redacted);
    if (tally->spooled > 0)
        printf(", spooled %" PRIu64, tally->spooled);
    putchar('\n');
    for (size_t i = 0; i < tally->noutputs; i++) {
        const struct cw_tally_output *output = &tally->outputs[i];
        printf("  %s: sent %" PRIu64, output->client, output->sent);
        if (output->retried > 0)
            printf(" (%" PRIu64 " tries more)", output->retried);
        printf(", acknowledged %" PRIu64, output->acknowledged);
        if (output->adopted > 0)
            printf(", %" PRIu64 " bytes more were there already", output->adopted);
        reasons_print("left out", &output->left_out);
        reasons_print("refused", &output->refused);
        putchar('\n');
    }
    for (size_t i = 0; i < tally->ngaps; i++)
        printf("  MISSING bytes %" PRIu64 " to %" PRIu64 " of generation %" PRIu64 ": %s\n",
               tally->gaps[i].from, tally->gaps[i].to, tally->gaps[i].generation,
               tally->gaps[i].why);
}

static bool any_adopted(const struct cw_tally *tally)
{
    bool any = false;
    for (size_t i = 0; i < tally->noutputs && !any; i++)
        any = tally->outputs[i].adopted > 0;
    return any;
}

static void settled_print(const struct audit_source *source)
{
    printf("  settled %" PRIu64 " bytes", source->position);
    if (source->packed_only)
        printf(" unpacked, of a compressed file of %" PRIu64, source->size);
    else if (source->size_known)
        printf(" of %" PRIu64 "%s%s", source->size, source->is_text ? " unpacked" : "",
               source->unpacking ? " so far" : "");
    putchar('\n');
}

/* Whether there may be more behind than is known. */
static bool any_more(const struct audit *audit)
{
    bool any = false;
    for (size_t i = 0; i < audit->nsources && !any; i++)
        any = audit->sources[i].packed_only || audit->sources[i].unpacking;
    return any;
}

static void text_print(const struct audit *audit, const struct cw_tally *sum, uint64_t behind)
{
    if (audit->live != NULL)
        printf("as the running shipper at %s tells it\n", audit->live);
    for (size_t i = 0; i < audit->nsources; i++) {
        const struct audit_source *source = &audit->sources[i];
        printf("%s\n", source->path);
        settled_print(source);
        if (source->tally != NULL)
            tally_print(source->tally);
    }
    if (audit->forgotten != NULL && audit->forgotten->read + audit->forgotten->gap_bytes > 0) {
        printf("files that are gone\n");
        tally_print(audit->forgotten);
    }
    printf("in all %zu files, %s%" PRIu64 " bytes behind, %" PRIu64 " bytes missing, %" PRIu64
           " dead letters\n",
           audit->nsources, any_more(audit) ? "at least " : "", behind, sum->gap_bytes,
           audit->nletters);
    tally_print(sum);
    if (any_adopted(sum))
        printf(
            "what was there already was not read once more: no count of lines has what the shipper "
            "had not counted before it was killed, or an answer was lost\n");
}

static void json_print(const struct audit *audit, const struct cw_tally *sum, uint64_t behind)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    struct cw_json_writer w = cw_json_writer_make(&out);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("sources"));
    cw_json_begin_array(&w);
    for (size_t i = 0; i < audit->nsources; i++) {
        const struct audit_source *source = &audit->sources[i];
        cw_json_begin_object(&w);
        cw_json_key_string(&w, "path", cw_str_of(source->path));
        cw_json_key_u64(&w, "position", source->position);
        if (source->size_known)
            cw_json_key_u64(&w, source->packed_only ? "compressed_size" : "size", source->size);
        if (source->tally != NULL)
            cw_tally_members(source->tally, &w);
        cw_json_end_object(&w);
    }
    cw_json_end_array(&w);
    cw_json_key(&w, CW_STR("sum"));
    cw_json_begin_object(&w);
    cw_tally_members(sum, &w);
    cw_json_end_object(&w);
    cw_json_key_u64(&w, "behind", behind);
    cw_json_key_u64(&w, "dead_letters", audit->nletters);
    cw_json_end_object(&w);
    printf("%s\n", cw_buf_z(&out));
    cw_buf_fini(&out);
}

/* Print it; whether something was refused or is missing. */
static bool audit_tell(const struct audit *audit, bool json)
{
    struct cw_tally *sum = cw_tally_new();
    uint64_t behind = 0, nrefused = 0;
    for (size_t i = 0; i < audit->nsources; i++) {
        const struct audit_source *source = &audit->sources[i];
        if (source->tally != NULL)
            cw_tally_join(sum, source->tally);
        if (source->size_known && !source->packed_only && source->size > source->position)
            behind += source->size - source->position;
    }
    if (audit->forgotten != NULL)
        cw_tally_join(sum, audit->forgotten);
    for (size_t i = 0; i < sum->noutputs; i++)
        nrefused += cw_tally_total(&sum->outputs[i].refused);
    (json ? json_print : text_print)(audit, sum, behind);
    bool missing = sum->gap_bytes > 0 || nrefused > 0 || audit->nletters > 0;
    cw_tally_free(&sum);
    return missing;
}

int cw_audit_run(const struct cw_shipper_config *config, bool json)
{
    struct audit audit = {.arena = cw_arena_new()};
    struct cw_err err = {0};
    struct cw_str at = config->positions_file;
    const char *path = cw_arena_printf(audit.arena, "%.*s.cordwood", CW_STR_ARG(at)).ptr;
    const char *refused = cw_state_dir_refused_path(at, audit.arena);
    const char *old = cw_arena_printf(audit.arena, "%s.old", refused).ptr;
    audit.nletters = lines_count(refused) + lines_count(old);
    audit.live = running_url(&audit, cw_arena_printf(audit.arena, "%s.lock", path).ptr);
    int rc = audit.live != NULL ? live_read(&audit, &err) : 0;
    if (rc < 0 && cw_str_starts(cw_str_of(audit.live), CW_STR("https://"))) {
        fprintf(stderr, "cordwood-shipper: %s; what it has written is told instead\n", err.text);
        audit.live = NULL; /* it asks for a client's certificate, perhaps */
        rc = 0;
    }
    if (rc == 0 && audit.live == NULL)
        rc = files_read(&audit, path, cw_arena_printf(audit.arena, "%s.ledger", path).ptr, &err);
    bool missing = rc == 0 && audit_tell(&audit, json);
    if (rc < 0)
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
    for (size_t i = 0; i < audit.nsources; i++)
        cw_tally_free(&audit.sources[i].tally);
    cw_tally_free(&audit.forgotten);
    cw_arena_free(&audit.arena);
    return rc < 0 || missing;
}
