#include <criterion/criterion.h>
#include "shipper/push_target.h"
#include "tests/support/log_folder.h"

Test(push_target, the_server_is_asked_beside_the_path_that_is_pushed_to)
{
    static const struct {
        const char *url, *ask, *name;
    } cases[] = {
        {"http://h:3100/loki/api/v1/push", "http://h:3100/cordwood/v1/sources", "h:3100"},
        {"https://u:p@h/logs/loki/api/v1/push?x=1", "https://h-ignored", "h"},
        {"http://h/api/prom/push", "http://h/cordwood/v1/sources", "h"},
        {"http://h:9428/insert/x", "http://h:9428/cordwood/v1/sources", "h:9428"},
        {"http://h", "http://h/cordwood/v1/sources", "h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_client_config config = {.url = cw_str_of(cases[i].url)};
        config.name = cw_client_default_name(config.url, 0, arena);
        struct cw_push_target target;
        cw_push_target_init(&target, &config, CW_STR(""));
        struct cw_http_call call = cw_push_target_call(&target, CW_PUSH_TARGET_ASK, CW_STR("{}"));
        cr_assert_str_eq(call.url,
                         i == 1 ? "https://u:p@h/logs/cordwood/v1/sources" : cases[i].ask);
        cr_assert_str_eq(target.name, cases[i].name);
        cw_push_target_fini(&target);
        cw_arena_free(&arena);
    }
}

Test(push_target, headers_and_secrets_are_those_of_the_configuration)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    cw_log_folder_append(&folder, "secret", "one\n");
    struct cw_config_pair header = {CW_STR("X-A"), CW_STR("b")};
    struct cw_client_config config = {
        .url = CW_STR("http://h/loki/api/v1/push"),
        .compression = CW_CLIENT_GZIP,
        .tenant_id = CW_STR("t1"),
        .headers = {&header, 1},
        .basic_auth = {.username = CW_STR("u"),
                       .password_file = cw_str_of(cw_log_folder_path(&folder, "secret"))}};
    struct cw_push_target target;
    cw_push_target_init(&target, &config, CW_STR(""));
    struct cw_http_call call = cw_push_target_call(&target, CW_PUSH_TARGET_PUSH, CW_STR("x"));
    cr_assert_str_eq(call.user, "u:one");
    cr_assert_str_eq(call.headers[0], "Content-Type: application/x-protobuf");
    cr_assert_str_eq(call.headers[1], "Content-Encoding: gzip");
    cr_assert_str_eq(call.headers[3], "X-Scope-OrgID: t1");
    cr_assert_str_eq(call.headers[4], "X-A: b");
    cr_assert_null(call.headers[5]);
    call = cw_push_target_call(&target, CW_PUSH_TARGET_ASK, CW_STR("x"));
    cr_assert_str_eq(call.headers[0], "Content-Type: application/json");
    cr_assert(strncmp(call.headers[1], "User-Agent: ", 12) == 0, "%s", call.headers[1]);
    cw_log_folder_truncate(&folder, "secret", 0);
    cw_log_folder_append(&folder, "secret", "two");
    cr_assert_str_eq(cw_push_target_call(&target, CW_PUSH_TARGET_PUSH, CW_STR("x")).user, "u:two",
                     "it was changed meanwhile");
    cw_push_target_fini(&target);
    cw_push_target_init(&target, &config, CW_STR("t2"));
    call = cw_push_target_call(&target, CW_PUSH_TARGET_PUSH, CW_STR("x"));
    cr_assert_str_eq(call.headers[3], "X-Scope-OrgID: t2", "the entries' own tenant");
    cw_push_target_fini(&target);
    cw_push_target_init(&target, &config, CW_STR("a\r\nX-B: c"));
    call = cw_push_target_call(&target, CW_PUSH_TARGET_PUSH, CW_STR("x"));
    cr_assert_str_eq(call.headers[3], "X-Scope-OrgID: a%%X-B: c", "no header of its own");
    cw_push_target_fini(&target);
    cw_log_folder_fini(&folder);
}
