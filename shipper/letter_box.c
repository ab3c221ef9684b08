#include "shipper/letter_box.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/wire/delivery.h"
#include "shipper/positions.h"

#define PROGRESS_FIRST_LINE "cordwood-resend 1"
enum { PROGRESS_BYTES = 16 << 20, ROUTES_MAX = 10000, NUMBER_MAX = 1000000 };

/* ---- taking a running shipper's letters away ---- */

static const char *folder_of(const char *path, struct cw_arena *arena)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    return slash == path ? "/" : cw_arena_dup(arena, cw_str_make(path, (size_t)(slash - path))).ptr;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* <name>.<number>; 0 when it is none. */
static uint64_t number_of(const char *name, const char *refused_name)
{
    struct cw_str rest = cw_str_of(name), start = cw_str_of(refused_name);
    uint64_t number;
    if (!cw_str_starts(rest, start) || rest.len < start.len + 2 || rest.ptr[start.len] != '.')
        return 0;
    rest = cw_str_sub(rest, start.len + 1, rest.len);
    return cw_str_to_u64(rest, &number) && number <= NUMBER_MAX ? number : 0;
}

static int number_cmp(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int numbers_list(const char *refused_path, struct cw_arena *arena, uint64_t **out,
                        size_t *n_out, struct cw_err *err)
{
    struct cw_file_names names;
    int rc = cw_file_list(folder_of(refused_path, arena), &names, err);
    *n_out = 0;
    if (rc < 0)
        return rc == CW_E_NOT_FOUND ? 0 : rc; /* no shipper has been here yet */
    uint64_t *numbers = CW_ARENA_ARRAY(arena, uint64_t, names.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++) {
        numbers[n] = number_of(names.names[i], name_of(refused_path));
        n += numbers[n] > 0;
    }
    cw_file_names_free(&names);
    qsort(numbers, n, sizeof *numbers, number_cmp);
    *out = numbers;
    *n_out = n;
    return 0;
}

int cw_letter_box_list(const char *refused_path, struct cw_arena *arena, const char ***out,
                       size_t *n_out, struct cw_err *err)
{
    uint64_t *numbers;
    int rc = numbers_list(refused_path, arena, &numbers, n_out, err);
    if (rc < 0)
        return rc;
    *out = CW_ARENA_ARRAY(arena, const char *, *n_out + 1);
    for (size_t i = 0; i < *n_out; i++)
        (*out)[i] = cw_arena_printf(arena, "%s.%" PRIu64, refused_path, numbers[i]).ptr;
    return 0;
}

/* Rename one, if it is there. */
static int take_one(const char *path, const char *refused_path, uint64_t *number,
                    struct cw_arena *arena, struct cw_err *err)
{
    if (!cw_file_exists(path))
        return 0;
    const char *to = cw_arena_printf(arena, "%s.%" PRIu64, refused_path, ++*number).ptr;
    return cw_file_rename(path, to, err);
}

int cw_letter_box_take(const char *refused_path, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    uint64_t *numbers, last = 0;
    size_t n;
    int rc = numbers_list(refused_path, arena, &numbers, &n, err), fd = -1;
    if (rc == 0 && n > 0)
        last = numbers[n - 1];
    /* The writer's lock: it neither writes nor renames meanwhile. */
    if (rc == 0 && cw_file_exists(refused_path)) {
        fd = cw_file_open(refused_path, O_RDONLY, err);
        rc = fd < 0 ? fd : 0;
        if (rc == 0 && flock(fd, LOCK_EX) < 0)
            rc = cw_err_errno(err, CW_E_IO, errno, "lock %s", refused_path);
    }
    if (rc == 0)
        rc = take_one(cw_arena_printf(arena, "%s.old", refused_path).ptr, refused_path, &last,
                      arena, err);
    if (rc == 0)
        rc = take_one(refused_path, refused_path, &last, arena, err);
    if (fd >= 0)
        close(fd);
    cw_arena_free(&arena);
    return rc;
}

/* ---- progress ---- */

struct cw_letter_route *cw_letter_box_route(struct cw_letter_box *box, struct cw_str client,
                                            struct cw_str tenant)
{
    for (size_t i = 0; i < box->nroutes; i++)
        if (cw_str_eq(box->routes[i].client, client) && cw_str_eq(box->routes[i].tenant, tenant))
            return &box->routes[i];
    box->routes = cw_arena_grow(box->arena, box->routes, box->nroutes, &box->routes_cap,
                                box->nroutes + 1, sizeof *box->routes);
    box->routes[box->nroutes] = (struct cw_letter_route){cw_arena_dup(box->arena, client),
                                                         cw_arena_dup(box->arena, tenant), 0};
    return &box->routes[box->nroutes++];
}

static void progress_encode(const struct cw_letter_box *box, struct cw_buf *out)
{
    char shipper[33], session[33], source[33];
    cw_id128_format(&box->shipper, shipper);
    cw_id128_format(&box->session, session);
    cw_id128_format(&box->source, source);
    cw_buf_addf(out,
                PROGRESS_FIRST_LINE "\nfile %" PRIu64 " %" PRIu64 " %zu\nagain %" PRIu64
                                    "\nshipper %s session %s source %s\n",
                box->dev, box->ino, box->map.len, box->again_bytes, shipper, session, source);
    for (size_t i = 0; i < box->nroutes; i++) {
        cw_buf_addf(out, "done %" PRIu64 " ", box->routes[i].done);
        cw_positions_path_encode(box->routes[i].client, out);
        cw_buf_addc(out, ' ');
        cw_positions_path_encode(box->routes[i].tenant, out);
        cw_buf_addc(out, '\n');
    }
}

/* Up to `max` words of a line. */
static size_t words_split(struct cw_str line, struct cw_str *words, size_t max)
{
    size_t n = 0;
    while (n < max && cw_str_split(&line, ' ', &words[n]))
        n++;
    return n;
}

static bool route_decode(struct cw_letter_box *box, struct cw_str line)
{
    struct cw_str words[5], client, tenant = CW_STR_NONE;
    uint64_t done;
    size_t n = words_split(line, words, 5);
    if (n < 3 || n > 4 || !cw_str_eqz(words[0], "done") || !cw_str_to_u64(words[1], &done) ||
        done > box->map.len || box->nroutes == ROUTES_MAX ||
        !cw_positions_path_decode(words[2], box->arena, &client) ||
        (n == 4 && words[3].len > 0 && !cw_positions_path_decode(words[3], box->arena, &tenant)))
        return false;
    cw_letter_box_route(box, client, tenant)->done = done;
    return true;
}

int cw_letter_box_progress_decode(struct cw_letter_box *box, struct cw_str text, struct cw_err *err)
{
    struct cw_str line, words[6];
    uint64_t dev, ino, size;
    if (!cw_str_split(&text, '\n', &line) || !cw_str_eqz(line, PROGRESS_FIRST_LINE) ||
        !cw_str_split(&text, '\n', &line) || words_split(line, words, 5) != 4 ||
        !cw_str_eqz(words[0], "file") || !cw_str_to_u64(words[1], &dev) ||
        !cw_str_to_u64(words[2], &ino) || !cw_str_to_u64(words[3], &size))
        return cw_err_set(err, CW_E_CORRUPT, "%s is no progress of a resend", box->progress_path);
    if (dev != box->dev || ino != box->ino || size != box->map.len)
        return cw_err_set(err, CW_E_NOT_FOUND, "another file's");
    bool good = cw_str_split(&text, '\n', &line) && words_split(line, words, 3) == 2 &&
                cw_str_eqz(words[0], "again") && cw_str_to_u64(words[1], &box->again_bytes) &&
                cw_str_split(&text, '\n', &line) && words_split(line, words, 6) == 6 &&
                cw_id128_parse(words[1], &box->shipper) &&
                cw_id128_parse(words[3], &box->session) && cw_id128_parse(words[5], &box->source);
    while (good && cw_str_split(&text, '\n', &line))
        good = line.len == 0 || route_decode(box, line);
    return good ? 0 : cw_err_set(err, CW_E_CORRUPT, "%s is damaged", box->progress_path);
}

/* What an earlier run got done, or a beginning. */
static int progress_load(struct cw_letter_box *box, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, PROGRESS_BYTES);
    int rc = cw_file_read(box->progress_path, PROGRESS_BYTES, &text, err);
    if (rc == 0)
        rc = cw_letter_box_progress_decode(box, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    if (rc != CW_E_NOT_FOUND)
        return rc;
    cw_file_random(box->shipper.bytes, sizeof box->shipper.bytes);
    cw_file_random(box->session.bytes, sizeof box->session.bytes);
    cw_file_random(box->source.bytes, sizeof box->source.bytes);
    return 0;
}

/* ---- life ---- */

int cw_letter_box_open(const char *path, struct cw_letter_box *out, struct cw_err *err)
{
    struct cw_letter_box *box = out;
    *box = (struct cw_letter_box){.arena = cw_arena_new(), .fd = -1, .again_fd = -1};
    box->path = cw_arena_dup(box->arena, cw_str_of(path)).ptr;
    box->again_path = cw_arena_printf(box->arena, "%s.again", path).ptr;
    box->progress_path = cw_arena_printf(box->arena, "%s.progress", path).ptr;
    struct stat st = {0};
    int rc = box->fd = cw_file_open(path, O_RDONLY, err);
    if (rc >= 0 && flock(box->fd, LOCK_EX | LOCK_NB) < 0)
        rc = cw_err_set(err, CW_E_FORBIDDEN, "%s is being sent by another process", path);
    if (rc >= 0 && fstat(box->fd, &st) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "stat %s", path);
    if (rc >= 0)
        rc = cw_file_map(path, &box->map, err);
    box->dev = st.st_dev;
    box->ino = st.st_ino;
    if (rc >= 0)
        rc = progress_load(box, err);
    if (rc >= 0)
        rc = box->again_fd = cw_file_open(box->again_path, O_RDWR | O_CREAT, err);
    /* What was kept after the last save is kept again. */
    if (rc >= 0 && ftruncate(box->again_fd, (off_t)box->again_bytes) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "truncate %s", box->again_path);
    if (rc >= 0 && lseek(box->again_fd, 0, SEEK_END) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "seek in %s", box->again_path);
    if (rc >= 0)
        rc = cw_letter_box_save(box, err);
    if (rc < 0) {
        cw_letter_box_close(box);
        return rc;
    }
    return 0;
}

void cw_letter_box_close(struct cw_letter_box *box)
{
    cw_file_unmap(&box->map);
    if (box->fd >= 0)
        close(box->fd);
    if (box->again_fd >= 0)
        close(box->again_fd);
    cw_arena_free(&box->arena);
    *box = (struct cw_letter_box){.fd = -1, .again_fd = -1};
}

bool cw_letter_box_line(const struct cw_letter_box *box, uint64_t *at, struct cw_str *line)
{
    if (*at >= box->map.len)
        return false;
    struct cw_str rest = cw_str_make(box->map.ptr + *at, box->map.len - *at);
    ptrdiff_t end = cw_str_find_byte(rest, '\n');
    *line = cw_str_sub(rest, 0, end < 0 ? rest.len : (size_t)end);
    *at += line->len + (end >= 0);
    return true;
}

int cw_letter_box_keep(struct cw_letter_box *box, struct cw_str letter, struct cw_err *err)
{
    box->again_bytes += letter.len;
    return cw_file_write_all(box->again_fd, letter.ptr, letter.len, box->again_path, err);
}

int cw_letter_box_save(struct cw_letter_box *box, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, PROGRESS_BYTES);
    int rc = cw_file_sync(box->again_fd, box->again_path, err);
    progress_encode(box, &text);
    if (rc == 0)
        rc = cw_file_replace(box->progress_path, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    return rc;
}

int cw_letter_box_finish(struct cw_letter_box *box, struct cw_err *err)
{
    int rc = box->again_bytes > 0 ? cw_file_rename(box->again_path, box->path, err)
                                  : cw_file_unlink(box->path, err);
    if (rc == 0 && box->again_bytes == 0)
        rc = cw_file_unlink(box->again_path, err);
    if (rc == 0)
        rc = cw_file_unlink(box->progress_path, err);
    return rc;
}
