#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "shipper/docker_api.h"

static const char networks_body[] =
    "[{\"Name\":\"shop_default\",\"Id\":\"n1\",\"Scope\":\"local\",\"Internal\":false,\"Ingress\":"
    "false,\"Labels\":{\"com.docker.compose.network\":\"default\"}},"
    "{\"Name\":\"back\",\"Id\":\"n2\",\"Scope\":\"swarm\",\"Internal\":true,\"Ingress\":true}]";

static const char list_body[] =
    "[{\"Id\":\"abc\",\"Names\":[\"/web-1\"],\"Image\":\"nginx:1\",\"Labels\":{\"com.docker.compose."
    "project\":\"shop\",\"com.docker.compose.service\":\"web\",\"x-y\":\"z\",\"cordwood.pipeline\":"
    "\"nginx\"},\"Ports\":[{\"PrivatePort\":53,\"Type\":\"udp\"},{\"IP\":\"0.0.0.0\",\"PrivatePort\":"
    "80,\"PublicPort\":8080,\"Type\":\"tcp\"}],\"HostConfig\":{\"NetworkMode\":\"shop_default\"},"
    "\"NetworkSettings\":{\"Networks\":{\"shop_default\":{\"NetworkID\":\"n1\",\"IPAddress\":"
    "\"172.18.0.2\"},\"back\":{\"NetworkID\":\"n2\",\"IPAddress\":\"10.0.0.2\"}}}},"
    "{\"Id\":\"def\",\"Names\":[],\"Image\":\"i\",\"Labels\":null},{\"Id\":7},"
    "{\"Id\":\"side\",\"Names\":[\"/side\"],\"Image\":\"i\",\"Labels\":{\"cordwood.enable\":\"false\"},"
    "\"HostConfig\":{\"NetworkMode\":\"container:abc\"},\"NetworkSettings\":{\"Networks\":{}}},"
    "{\"Id\":\"host\",\"Names\":[\"/host\"],\"Image\":\"i\",\"Labels\":{\"cordwood.enable\":\"true\"},"
    "\"HostConfig\":{\"NetworkMode\":\"host\"},\"NetworkSettings\":{\"Networks\":{\"host\":{"
    "\"NetworkID\":\"n9\",\"IPAddress\":\"\"}}}},"
    "{\"Id\":\"task\",\"Names\":[\"/a.1.x\"],\"Image\":\"i\",\"Labels\":{\"com.docker.swarm.service."
    "name\":\"a\",\"com.docker.stack.namespace\":\"st\"},\"NetworkSettings\":{\"Networks\":{\"o\":{"
    "\"IPAddress\":\"fd00::1\"}}}}]";

static const char *text_of(struct cw_labels labels, struct cw_arena *arena)
{
    struct cw_buf text;
    cw_buf_init(&text, 1 << 16);
    cw_labels_format(labels, &text);
    const char *out = cw_arena_dup(arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    return out;
}

static const char *all_of(const struct cw_target_labels *labels)
{
    struct cw_labels sorted;
    cr_assert_eq(cw_labels_from_pairs(labels->items, labels->n, &sorted, NULL), 0);
    return text_of(sorted, labels->arena);
}

static size_t list(const struct cw_docker_sd_config *config, struct cw_arena *arena,
                   struct cw_docker_container **out)
{
    struct cw_docker_networks networks;
    struct cw_err err = {0};
    size_t n;
    cr_assert_eq(cw_docker_networks_decode(cw_str_of(networks_body), arena, &networks, &err), 0,
                 "%s", err.text);
    cr_assert_eq(
        cw_docker_list_decode(cw_str_of(list_body), config, &networks, arena, out, &n, &err), 0,
        "%s", err.text);
    return n;
}

Test(docker_api, a_list_of_containers_gives_prometheus_labels)
{
    struct cw_docker_sd_config config = {
        .port = 81, .host_networking_host = CW_STR("me"), .match_first_network = true};
    struct cw_arena *arena = cw_arena_new();
    struct cw_docker_container *got;
    cr_assert_eq(list(&config, arena, &got), 5);
    cr_assert_str_eq(
        all_of(&got[0].labels),
        "{__address__=\"10.0.0.2:80\", __meta_docker_container_id=\"abc\", "
        "__meta_docker_container_label_com_docker_compose_project=\"shop\", "
        "__meta_docker_container_label_com_docker_compose_service=\"web\", "
        "__meta_docker_container_label_cordwood_pipeline=\"nginx\", "
        "__meta_docker_container_label_x_y=\"z\", __meta_docker_container_name=\"/web-1\", "
        "__meta_docker_container_network_mode=\"shop_default\", __meta_docker_network_id=\"n2\", "
        "__meta_docker_network_ingress=\"true\", __meta_docker_network_internal=\"true\", "
        "__meta_docker_network_ip=\"10.0.0.2\", __meta_docker_network_name=\"back\", "
        "__meta_docker_network_scope=\"swarm\", __meta_docker_port_private=\"80\", "
        "__meta_docker_port_public=\"8080\", __meta_docker_port_public_ip=\"0.0.0.0\"}");
    cr_assert(cw_str_eqz(got[0].pipeline, "nginx") && cw_str_eqz(got[0].name, "web-1"));
    cr_expect_str_eq(all_of(&got[1].labels), "{__meta_docker_container_id=\"def\"}");
    /* it has the first one's networks, and ports of its own: none */
    cr_expect(
        cw_str_eqz(cw_target_labels_get(&got[2].labels, CW_STR("__address__")), "10.0.0.2:81"));
    cr_expect(cw_str_eqz(cw_target_labels_get(&got[3].labels, CW_STR("__address__")), "me"));
    cr_expect(
        cw_str_eqz(cw_target_labels_get(&got[4].labels, CW_STR("__address__")), "[fd00::1]:81"));
    config.match_first_network = false;
    cr_assert_eq(list(&config, arena, &got), 5);
    cr_expect(cw_str_eqz(
        cw_target_labels_get(&got[0].labels,
                             CW_STR("__meta_docker_network_label_com_docker_compose_network")),
        "default"));
    cw_arena_free(&arena);
}

Test(docker_api, plain_labels_and_wishes)
{
    struct cw_docker_sd_config config = {.match_first_network = true};
    struct cw_arena *arena = cw_arena_new();
    struct cw_docker_container *got;
    cr_assert_eq(list(&config, arena, &got), 5);
    cr_assert_str_eq(text_of(got[0].plain, arena),
                     "{compose_project=\"shop\", compose_service=\"web\", container=\"web-1\", "
                     "image=\"nginx:1\"}");
    cr_assert_str_eq(text_of(got[1].plain, arena), "{image=\"i\"}");
    cr_assert_str_eq(text_of(got[4].plain, arena),
                     "{container=\"a.1.x\", image=\"i\", swarm_service=\"a\", swarm_stack=\"st\"}");
    cr_assert(got[0].wish == CW_DOCKER_NO_WISH && got[2].wish == CW_DOCKER_DISABLE &&
              got[3].wish == CW_DOCKER_ENABLE);
    cw_arena_free(&arena);
}

Test(docker_api, what_is_no_such_answer_is_refused)
{
    static const char *const bad[] = {"{}", "[{", "", "7"};
    struct cw_docker_sd_config config = {0};
    struct cw_docker_networks networks = {0};
    struct cw_arena *arena = cw_arena_new();
    struct cw_docker_container *got;
    struct cw_err err = {0};
    size_t n;
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        cr_expect_eq(
            cw_docker_list_decode(cw_str_of(bad[i]), &config, &networks, arena, &got, &n, &err),
            CW_E_INVALID, "%s", bad[i]);
        cr_expect_eq(cw_docker_networks_decode(cw_str_of(bad[i]), arena, &networks, &err),
                     CW_E_INVALID, "%s", bad[i]);
    }
    cw_arena_free(&arena);
}

Test(docker_api, a_container_tells_where_its_log_is)
{
    static const struct {
        const char *body, *driver, *path;
        bool tty;
    } cases[] = {
        {"{\"LogPath\":\"/d/abc-json.log\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}}}",
         "json-file", "/d/abc-json.log", false},
        {"{\"LogPath\":\"\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}},\"Config\":{"
         "\"Tty\":true}}",
         "json-file", "", true},
        {"{\"LogPath\":\"\",\"ResolvConfPath\":\"/var/lib/docker/containers/ab/"
         "resolv.conf\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"local\"}}}",
         "local", "/var/lib/docker/containers/ab/local-logs/container.log", false},
        {"{\"LogPath\":\"\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"local\"}}}", "local", "",
         false},
        {"{\"LogPath\":\"/x\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"journald\"}}}", "journald",
         "", false},
    };
    static const char *const bad[] = {"{\"LogPath\":\"a\"}", "{\"LogPath\":\"/a\\u0000b\"}", "x"};
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    struct cw_docker_log log;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cr_assert_eq(cw_docker_inspect_decode(cw_str_of(cases[i].body), arena, &log, &err), 0, "%s",
                     cases[i].body);
        cr_expect(cw_str_eqz(log.driver, cases[i].driver), "%s", cases[i].body);
        cr_expect(cw_str_eqz(log.path, cases[i].path), "%s: %s", cases[i].body, log.path.ptr);
        cr_expect_eq(log.tty, cases[i].tty, "%s", cases[i].body);
    }
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_expect_eq(cw_docker_inspect_decode(cw_str_of(bad[i]), arena, &log, &err), CW_E_INVALID,
                     "%s", bad[i]);
    cw_arena_free(&arena);
}

Test(docker_api, addresses_become_urls)
{
    static const struct {
        const char *host, *ca, *url, *socket;
    } cases[] = {
        {"unix:///var/run/docker.sock", "", "http://docker", "/var/run/docker.sock"},
        {"tcp://10.0.0.1:2375", "", "http://10.0.0.1:2375", NULL},
        {"tcp://10.0.0.1:2376/", "/ca.pem", "https://10.0.0.1:2376", NULL},
        {"https://h:1", "", "https://h:1", NULL},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_docker_sd_config config = {.host = cw_str_of(cases[i].host)};
        config.access.tls.ca_file = cw_str_of(cases[i].ca);
        const char *socket;
        struct cw_buf url;
        cw_buf_init(&url, 4096);
        cw_docker_base_url(&config, &url, &socket);
        cr_expect_str_eq(cw_buf_z(&url), cases[i].url);
        cr_expect((socket == NULL) == (cases[i].socket == NULL));
        if (socket != NULL)
            cr_expect_str_eq(socket, cases[i].socket);
        cw_buf_fini(&url);
    }
}

Test(docker_api, filters_go_into_the_url_escaped)
{
    struct cw_str values[] = {CW_STR("a=b c")};
    struct cw_docker_filter filter = {CW_STR("label"), {values, 1}};
    struct cw_docker_sd_config config = {.filters = {&filter, 1}};
    struct cw_buf url;
    cw_buf_init(&url, 4096);
    cw_docker_list_url(&config, &url);
    cr_assert_str_eq(cw_buf_z(&url),
                     "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D");
    cw_buf_fini(&url);
}
