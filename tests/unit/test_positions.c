#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/file.h"
#include "common/base/hash.h"
#include "shipper/positions.h"
#include "tests/support/log_folder.h"

static struct cw_positions example(struct cw_id128 *sessions, struct cw_position *sources)
{
    memset(sessions, 0, 2 * sizeof *sessions);
    memset(sources, 0, 2 * sizeof *sources);
    sessions[1].bytes[15] = 7;
    sources[0] = (struct cw_position){.id = {{1, 2, 3}},
                                      .generation = 4,
                                      .offset = 1234567890123,
                                      .identity = {.dev = 5,
                                                   .ino = UINT64_MAX,
                                                   .birth_ns = -1,
                                                   .prefix_len = 1024,
                                                   .prefix_hash = 0xdeadbeefcafef00d},
                                      .path = CW_STR("/var/log/a b%c\n\x01.log"),
                                      .path_now = CW_STR("/var/log/a.log.1")};
    sources[1] =
        (struct cw_position){.generation = 1, .path = CW_STR("/x"), .path_now = CW_STR("/x")};
    static struct cw_str tenants[] = {{"team a", 6}, {"b", 1}};
    static struct cw_known_client clients[] = {{{{0}}, 0, CW_STR("a b:80")},
                                               {{{7}}, UINT64_MAX - 1, CW_STR("c%")}};
    return (struct cw_positions){.shipper = {{9, 8}},
                                 .looked_ns = 1767225600123456789,
                                 .sessions = sessions,
                                 .nsessions = 2,
                                 .clients = clients,
                                 .nclients = 2,
                                 .tenants = tenants,
                                 .ntenants = 2,
                                 .sources = sources,
                                 .nsources = 2};
}

Test(positions, what_is_written_is_read_back)
{
    struct cw_id128 sessions[2];
    struct cw_position sources[2];
    struct cw_positions positions = example(sessions, sources), back;
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_positions_encode(&positions, &text);
    cr_assert_eq(cw_positions_decode(cw_buf_str(&text), arena, &back, &err), 0, "%s", err.text);
    cr_assert_eq(back.nsessions, 2);
    cr_assert_eq(back.looked_ns, 1767225600123456789);
    cr_assert_eq(back.sessions[1].bytes[15], 7);
    cr_assert_eq(memcmp(&back.shipper, &positions.shipper, sizeof back.shipper), 0);
    cr_assert(back.ntenants == 2 && cw_str_eqz(back.tenants[0], "team a") &&
              cw_str_eqz(back.tenants[1], "b"));
    cr_assert(back.nclients == 2 && cw_str_eqz(back.clients[0].name, "a b:80") &&
              cw_str_eqz(back.clients[1].name, "c%") && back.clients[1].id.bytes[0] == 7 &&
              back.clients[1].sends == UINT64_MAX - 1);
    cr_assert_eq(back.nsources, 2);
    cr_assert_eq(back.sources[0].offset, 1234567890123);
    cr_assert_eq(back.sources[0].generation, 4);
    const struct cw_file_identity *got = &back.sources[0].identity, *want = &sources[0].identity;
    cr_assert(got->dev == want->dev && got->ino == want->ino && got->birth_ns == want->birth_ns);
    cr_assert(got->prefix_len == want->prefix_len && got->prefix_hash == want->prefix_hash);
    cr_assert(cw_str_eq(back.sources[0].path, sources[0].path));
    cr_assert(cw_str_eqz(back.sources[0].path_now, "/var/log/a.log.1"));
    cw_buf_fini(&text);
    cw_arena_free(&arena);
}

Test(positions, a_cut_or_changed_file_is_never_guessed_at)
{
    struct cw_id128 sessions[2];
    struct cw_position sources[2];
    struct cw_positions positions = example(sessions, sources), back;
    struct cw_err err = {0};
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_positions_encode(&positions, &text);
    for (size_t len = 0; len < text.len; len++) {
        struct cw_arena *arena = cw_arena_new();
        cr_assert_eq(cw_positions_decode(cw_str_sub(cw_buf_str(&text), 0, len), arena, &back, &err),
                     CW_E_CORRUPT, "%zu", len);
        cw_arena_free(&arena);
    }
    for (size_t i = 0; i < text.len; i++) {
        struct cw_arena *arena = cw_arena_new();
        text.ptr[i] ^= 1;
        cr_assert_eq(cw_positions_decode(cw_buf_str(&text), arena, &back, &err), CW_E_CORRUPT,
                     "byte %zu", i);
        text.ptr[i] ^= 1;
        cw_arena_free(&arena);
    }
    cw_buf_fini(&text);
}

/* With a right checksum: the lines themselves are checked too. */
static int decode_body(const char *body)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions back;
    struct cw_err err = {0};
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_buf_addz(&text, body);
    cw_buf_addf(&text, "check %016llx\n", (unsigned long long)cw_hash64(body, strlen(body)));
    int rc = cw_positions_decode(cw_buf_str(&text), arena, &back, &err);
    cw_buf_fini(&text);
    cw_arena_free(&arena);
    return rc;
}

#define HEAD "cordwood-positions 2\nshipper 00112233445566778899aabbccddeeff\n"
#define ID "00112233445566778899aabbccddeeff"

Test(positions, lines_that_are_not_understood_are_errors)
{
    cr_assert_eq(decode_body(HEAD), 0);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 5 0123456789abcdef /a /a\n"), 0);
    cr_assert_eq(decode_body("cordwood-positions 3\nshipper " ID "\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body("cordwood-positions 1\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "shipper " ID "\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "sauce x\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "session 12\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "looked 12\n"), 0);
    cr_assert_eq(decode_body(HEAD "looked 0\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "looked -12\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "looked 12\nlooked 12\n"), CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 5 0123456789abcdef /a\n"),
                 CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 5 0123456789abcdef /a /a x\n"),
                 CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 -10 2 3 4 5 0123456789abcdef /a /a\n"),
                 CW_E_CORRUPT);
    cr_assert_eq(
        decode_body(HEAD "source " ID " 1 9223372036854775808 2 3 4 5 0123456789abcdef /a /a\n"),
        CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 1025 0123456789abcdef /a /a\n"),
                 CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 5 0123456789abcdef /a%0 /a\n"),
                 CW_E_CORRUPT);
    cr_assert_eq(decode_body(HEAD "source " ID " 1 10 2 3 4 5 0123456789abcdef /a%00 /a\n"),
                 CW_E_CORRUPT);
}

Test(positions, a_file_of_each_version_is_read)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions back;
    struct cw_err err = {0};
    char path[4096];
    for (int version = 1; version < 3; version++) {
        snprintf(path, sizeof path, "%s/positions_v%d.cordwood", getenv("CW_TEST_DATA"), version);
        cr_assert_eq(cw_positions_load(path, arena, &back, &err), 0, "%s", err.text);
        cr_assert(back.nsources == 2 && back.nsessions == 2 && back.ntenants == 2);
        cr_assert_eq(back.sources[0].offset, 1234567890123);
        cr_assert_eq(back.looked_ns, version == 1 ? 0 : 1767225600123456789);
    }
    cw_arena_free(&arena);
}

Test(positions, a_saved_file_is_whole_and_a_missing_one_is_not_found)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    struct cw_id128 sessions[2];
    struct cw_position sources[2];
    struct cw_positions positions = example(sessions, sources), back;
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    const char *path = cw_log_folder_path(&folder, "p.cordwood");
    cr_assert_eq(cw_positions_load(path, arena, &back, &err), CW_E_NOT_FOUND);
    for (positions.nsources = 2; positions.nsources > 0; positions.nsources--) {
        struct cw_buf text;
        cw_buf_init(&text, 1 << 20);
        cw_positions_encode(&positions, &text);
        cr_assert_eq(cw_file_replace(path, cw_buf_str(&text), &err), 0, "%s", err.text);
        cw_buf_fini(&text);
    }
    cr_assert_eq(cw_positions_load(path, arena, &back, &err), 0, "%s", err.text);
    cr_assert_eq(back.nsources, 1);
    struct cw_file_names names;
    cr_assert_eq(cw_file_list(folder.dir, &names, &err), 0);
    cr_assert_eq(names.n, 1, "no temporary file stays");
    cw_file_names_free(&names);
    cw_arena_free(&arena);
    cw_log_folder_fini(&folder);
}

Test(positions, promtails_file_is_imported)
{
    static const char yaml[] = "positions:\n  /var/log/syslog: \"1234\"\n  cursor-journal: s=abc\n "
                               " /var/log/a b.log: \"0\"\n"
                               "  /bad: \"-1\"\n  gcplog-x: \"\"\n";
    struct cw_arena *arena = cw_arena_new();
    struct cw_promtail_position *got;
    struct cw_err err = {0};
    size_t n, nbad;
    cr_assert_eq(cw_positions_import(cw_str_of(yaml), "p.yaml", arena, &got, &n, &nbad, &err), 0,
                 "%s", err.text);
    cr_assert_eq(n, 3);
    cr_assert_eq(nbad, 1);
    cr_assert(cw_str_eqz(got[0].path, "/var/log/syslog") && got[0].offset == 1234);
    cr_assert(cw_str_eqz(got[1].path, "cursor-journal") && cw_str_eqz(got[1].cursor, "s=abc"));
    cr_assert(cw_str_eqz(got[2].path, "/var/log/a b.log") && got[2].offset == 0);
    cr_assert_eq(
        cw_positions_import(CW_STR("positions: [1"), "p.yaml", arena, &got, &n, &nbad, &err),
        CW_E_INVALID);
    cw_arena_free(&arena);
}

Test(positions, promtails_file_may_have_50000_files_of_long_paths)
{
    enum { FILES = 50000 };
    struct cw_arena *arena = cw_arena_new();
    struct cw_promtail_position *got;
    struct cw_err err = {0};
    struct cw_buf yaml;
    size_t n, nbad;
    cw_buf_init(&yaml, SIZE_MAX);
    cw_buf_addz(&yaml, "positions:\n");
    for (int i = 0; i < FILES; i++)
        cw_buf_addf(&yaml, "  /var/log/pods/%0150d/app/0.log: \"%d\"\n", i, i);
    cr_assert_eq(cw_positions_import(cw_buf_str(&yaml), "p.yaml", arena, &got, &n, &nbad, &err), 0,
                 "%s", err.text);
    cr_assert_eq(n, FILES);
    cr_assert_eq(got[FILES - 1].offset, FILES - 1);
    cw_buf_fini(&yaml);
    cw_arena_free(&arena);
}
