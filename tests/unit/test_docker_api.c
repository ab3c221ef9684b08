#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "shipper/docker_api.h"

Test(docker_api, a_list_of_containers_gives_their_labels)
{
    static const char body[] =
        "[{\"Id\":\"abc\",\"Names\":[\"/"
        "web-1\"],\"Image\":\"nginx:1\",\"Labels\":{\"com.docker.compose.project\":\"shop\","
        "\"com.docker.compose.service\":\"web\",\"x\":\"y\"}},{\"Id\":\"def\",\"Names\":[],"
        "\"Image\":\"i\",\"Labels\":null},{\"Id\":7}]";
    struct cw_arena *arena = cw_arena_new();
    struct cw_docker_container *got;
    struct cw_err err = {0};
    size_t n;
    cr_assert_eq(cw_docker_list_decode(cw_str_of(body), arena, &got, &n, &err), 0, "%s", err.text);
    cr_assert_eq(n, 2);
    struct cw_buf text;
    cw_buf_init(&text, 4096);
    cw_labels_format(got[0].labels, &text);
    cr_assert_str_eq(cw_buf_z(&text), "{compose_project=\"shop\", compose_service=\"web\", "
                                      "container=\"web-1\", image=\"nginx:1\"}");
    cw_buf_clear(&text);
    cw_labels_format(got[1].labels, &text);
    cr_assert_str_eq(cw_buf_z(&text), "{image=\"i\"}");
    cw_buf_fini(&text);
    cr_assert_eq(cw_docker_list_decode(CW_STR("{}"), arena, &got, &n, &err), CW_E_INVALID);
    cr_assert_eq(cw_docker_list_decode(CW_STR("[{"), arena, &got, &n, &err), CW_E_INVALID);
    cw_arena_free(&arena);
}

Test(docker_api, only_json_files_have_a_path)
{
    static const struct {
        const char *body;
        bool json_file;
        const char *path;
    } cases[] = {
        {"{\"LogPath\":\"/d/abc-json.log\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}}}",
         true, "/d/abc-json.log"},
        {"{\"LogPath\":\"\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}}}", true, ""},
        {"{\"LogPath\":\"/d/l\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"local\"}}}", false, ""},
        {"{\"LogPath\":\"\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"journald\"}}}", false, ""},
    };
    static const char *const bad[] = {"{\"LogPath\":\"a\"}", "{\"LogPath\":\"/a\\u0000b\"}", "x"};
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    struct cw_str path;
    bool json_file;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cr_assert_eq(
            cw_docker_inspect_decode(cw_str_of(cases[i].body), arena, &json_file, &path, &err), 0,
            "%s", cases[i].body);
        cr_expect_eq(json_file, cases[i].json_file, "%s", cases[i].body);
        cr_expect(cw_str_eqz(path, cases[i].path), "%s", cases[i].body);
    }
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_expect_eq(cw_docker_inspect_decode(cw_str_of(bad[i]), arena, &json_file, &path, &err),
                     CW_E_INVALID, "%s", bad[i]);
    cw_arena_free(&arena);
}

Test(docker_api, filters_go_into_the_url_escaped)
{
    struct cw_str values[] = {CW_STR("a=b c")};
    struct cw_docker_filter filter = {CW_STR("label"), {values, 1}};
    struct cw_docker_sd_config config = {.filters = {&filter, 1}};
    struct cw_buf url;
    cw_buf_init(&url, 4096);
    cw_docker_list_url(&config, &url);
    cr_assert_str_eq(
        cw_buf_z(&url),
        "http://docker/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D");
    cw_buf_fini(&url);
}
