#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "shipper/kubernetes_api.h"

#define POD                                                                                                                    \
    "{\"metadata\":{\"name\":\"web-7d\",\"namespace\":\"shop\",\"uid\":\"u-1\",\"resourceVersion\":\"41\","                    \
    "\"labels\":{\"app.kubernetes.io/name\":\"web\"},\"annotations\":{\"a/b\":\"\"},"                                          \
    "\"ownerReferences\":[{\"kind\":\"X\",\"name\":\"y\"},{\"kind\":\"ReplicaSet\",\"name\":\"web-7\",\"controller\":true}]}," \
    "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"app\",\"image\":\"web:1\",\"ports\":"                           \
    "[{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"},{\"containerPort\":9}]},"                                \
    "{\"name\":\"side\",\"image\":\"s\"}],\"initContainers\":[{\"name\":\"init\",\"image\":\"i\"}]},"                          \
    "\"status\":{\"podIP\":\"10.1.2.3\",\"hostIP\":\"10.0.0.1\",\"phase\":\"Running\",\"conditions\":"                         \
    "[{\"type\":\"Ready\",\"status\":\"True\"}],\"containerStatuses\":[{\"name\":\"app\",\"containerID\":"                     \
    "\"containerd://ff\"}]}}"

static const char *text_of(const struct cw_target_labels *labels)
{
    struct cw_labels sorted;
    struct cw_buf text;
    cw_buf_init(&text, 1 << 16);
    cr_assert_eq(cw_labels_from_pairs(labels->items, labels->n, &sorted, NULL), 0);
    cw_labels_format(sorted, &text);
    const char *out = cw_arena_dup(labels->arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    return out;
}

Test(kubernetes_api, a_pod_is_a_target_for_each_container_and_port)
{
    static const char body[] =
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"99\",\"continue\":\"tok\"},"
        "\"items\":[" POD ",{\"metadata\":{}}]}";
    struct cw_arena *arena = cw_arena_new();
    struct cw_kubernetes_list list;
    struct cw_err err = {0};
    cr_assert_eq(
        cw_kubernetes_list_decode(cw_str_of(body), CW_KUBERNETES_POD, false, arena, &list, &err), 0,
        "%s", err.text);
    cr_assert(cw_str_eqz(list.version, "99") && cw_str_eqz(list.more, "tok") && list.n == 1);
    const struct cw_kubernetes_object *pod = &list.objects[0];
    cr_assert(cw_str_eqz(pod->key, "shop/web-7d"));
    cr_assert_eq(pod->nfound, 4);
    cr_expect_str_eq(
        text_of(&pod->found[0].labels),
        "{__address__=\"10.1.2.3:8080\", __meta_kubernetes_namespace=\"shop\", "
        "__meta_kubernetes_pod_annotationpresent_a_b=\"true\", "
        "__meta_kubernetes_pod_container_id=\"containerd://ff\", "
        "__meta_kubernetes_pod_container_image=\"web:1\", "
        "__meta_kubernetes_pod_container_init=\"false\", "
        "__meta_kubernetes_pod_container_name=\"app\", "
        "__meta_kubernetes_pod_container_port_name=\"http\", "
        "__meta_kubernetes_pod_container_port_number=\"8080\", "
        "__meta_kubernetes_pod_container_port_protocol=\"TCP\", "
        "__meta_kubernetes_pod_controller_kind=\"ReplicaSet\", "
        "__meta_kubernetes_pod_controller_name=\"web-7\", "
        "__meta_kubernetes_pod_host_ip=\"10.0.0.1\", __meta_kubernetes_pod_ip=\"10.1.2.3\", "
        "__meta_kubernetes_pod_label_app_kubernetes_io_name=\"web\", "
        "__meta_kubernetes_pod_labelpresent_app_kubernetes_io_name=\"true\", "
        "__meta_kubernetes_pod_name=\"web-7d\", __meta_kubernetes_pod_node_name=\"n1\", "
        "__meta_kubernetes_pod_phase=\"Running\", __meta_kubernetes_pod_ready=\"true\", "
        "__meta_kubernetes_pod_uid=\"u-1\"}");
    cr_expect(
        cw_str_eqz(cw_target_labels_get(&pod->found[2].labels, CW_STR("__address__")), "10.1.2.3"));
    cr_expect(cw_str_eqz(
        cw_target_labels_get(&pod->found[3].labels, CW_STR("__meta_kubernetes_pod_container_init")),
        "true"));
    cw_arena_free(&arena);
}

Test(kubernetes_api, plain_pods_have_their_files_and_few_labels)
{
    static const char static_pod[] =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"etcd\",\"namespace\":\"k\",\"uid\":"
        "\"u\",\"resourceVersion\":\"7\",\"annotations\":{\"kubernetes.io/config.mirror\":\"h4sh\"}},"
        "\"spec\":{\"containers\":[{\"name\":\"etcd\"}]}}}";
    struct cw_arena *arena = cw_arena_new();
    struct cw_kubernetes_object object;
    struct cw_str version;
    struct cw_err err = {0};
    cr_assert_eq(cw_kubernetes_event_decode(CW_STR("{\"type\":\"MODIFIED\",\"object\":" POD "}"),
                                            CW_KUBERNETES_POD, true, arena, &object, &version,
                                            &err),
                 1, "%s", err.text);
    cr_assert(cw_str_eqz(version, "41") && !object.deleted);
    cr_assert_eq(object.nfound, 3, "ports are the same files");
    struct cw_labels plain = cw_target_labels_public(&object.found[0].labels);
    struct cw_buf text;
    cw_buf_init(&text, 4096);
    cw_labels_format(plain, &text);
    cr_expect_str_eq(cw_buf_z(&text),
                     "{app=\"web\", container=\"app\", namespace=\"shop\", pod=\"web-7d\"}");
    cw_buf_fini(&text);
    cr_expect(cw_str_eqz(cw_target_labels_get(&object.found[0].labels, CW_STR("__path__")),
                         "/var/log/pods/*u-1/app/*.log"));
    cr_assert_eq(cw_kubernetes_event_decode(cw_str_of(static_pod), CW_KUBERNETES_POD, true, arena,
                                            &object, &version, &err),
                 1);
    cr_expect(cw_str_eqz(cw_target_labels_get(&object.found[0].labels, CW_STR("__path__")),
                         "/var/log/pods/*h4sh/etcd/*.log"));
    cw_arena_free(&arena);
}

Test(kubernetes_api, events_end_bookmark_and_fail)
{
    static const struct {
        const char *line;
        int want;
    } cases[] = {
        {"{\"type\":\"DELETED\",\"object\":" POD "}", 1},
        {"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":"
         "\"50\"}}}",
         0},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}",
         CW_E_NOT_FOUND},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}", CW_E_UNAVAILABLE},
        {"{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}",
         CW_E_NOT_FOUND},
        {"{\"kind\":\"Status\",\"code\":403,\"message\":\"pods is forbidden\"}", CW_E_FORBIDDEN},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}",
         CW_E_INVALID},
        {"{\"type\":\"NEW\",\"object\":" POD "}", CW_E_INVALID},
        {"{", CW_E_INVALID},
        {"", CW_E_INVALID},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_kubernetes_object object;
        struct cw_str version;
        struct cw_err err = {0};
        cr_expect_eq(cw_kubernetes_event_decode(cw_str_of(cases[i].line), CW_KUBERNETES_POD, false,
                                                arena, &object, &version, &err),
                     cases[i].want, "%s: %s", cases[i].line, err.text);
        if (i == 0)
            cr_expect(object.deleted);
        if (i == 1)
            cr_expect(cw_str_eqz(version, "50"));
    }
    cw_arena_free(&arena);
}

Test(kubernetes_api, a_node_has_its_labels_and_addresses)
{
    static const char body[] =
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{\"name\":\"n1\",\"labels\":"
        "{\"zone\":\"a\"}},\"spec\":{\"providerID\":\"p\"},\"status\":{\"addresses\":[{\"type\":"
        "\"InternalIP\",\"address\":\"10.0.0.1\"},{\"type\":\"Hostname\",\"address\":\"n1\"}]}}]}";
    struct cw_arena *arena = cw_arena_new();
    struct cw_kubernetes_list list;
    struct cw_err err = {0};
    cr_assert_eq(
        cw_kubernetes_list_decode(cw_str_of(body), CW_KUBERNETES_NODE, false, arena, &list, &err),
        0);
    cr_expect_str_eq(
        text_of(&list.objects[0].found[0].labels),
        "{__address__=\"10.0.0.1\", __meta_kubernetes_node_address_Hostname=\"n1\", "
        "__meta_kubernetes_node_address_InternalIP=\"10.0.0.1\", "
        "__meta_kubernetes_node_label_zone=\"a\", "
        "__meta_kubernetes_node_labelpresent_zone=\"true\", "
        "__meta_kubernetes_node_name=\"n1\", __meta_kubernetes_node_provider_id=\"p\", "
        "instance=\"n1\"}");
    cw_arena_free(&arena);
}

Test(kubernetes_api, urls_select_and_escape)
{
    struct cw_kubernetes_selector selector = {CW_KUBERNETES_POD, CW_STR("app in (a,b)"),
                                              CW_STR("spec.nodeName=n1")};
    struct cw_kubernetes_sd_config config = {.role = CW_KUBERNETES_POD,
                                             .selectors = {&selector, 1}};
    struct cw_buf url;
    cw_buf_init(&url, 4096);
    cw_kubernetes_list_url(&config, CW_STR("https://k"), CW_STR("ns"), CW_STR("a+b"), &url);
    cr_expect_str_eq(
        cw_buf_z(&url),
        "https://k/api/v1/namespaces/ns/pods?limit=500&labelSelector=app%20in%20%28a%2C"
        "b%29&fieldSelector=spec.nodeName%3Dn1&continue=a%2Bb");
    cw_buf_clear(&url);
    config.selectors.n = 0;
    cw_kubernetes_watch_url(&config, CW_STR("https://k"), CW_STR_NONE, CW_STR("12"), 240, &url);
    cr_expect_str_eq(cw_buf_z(&url),
                     "https://k/api/v1/"
                     "pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=12");
    cw_buf_fini(&url);
}

Test(kubernetes_api, a_pod_of_the_cluster_finds_the_server)
{
    char folder[] = "/tmp/cw-account-XXXXXX", path[64];
    struct cw_arena *arena = cw_arena_new();
    struct cw_kubernetes_sd_config config = {.own_namespace = true};
    struct cw_kubernetes_server server;
    struct cw_err err = {0};
    cr_assert(mkdtemp(folder) != NULL);
    unsetenv("KUBERNETES_SERVICE_HOST");
    cr_assert_eq(cw_kubernetes_server_find(&config, folder, arena, &server, &err), CW_E_INVALID);
    cr_expect(strstr(err.text, "own_namespace") != NULL);
    snprintf(path, sizeof path, "%s/namespace", folder);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fputs("logging\n", f) >= 0 && fclose(f) == 0);
    cr_assert_eq(cw_kubernetes_server_find(&config, folder, arena, &server, &err), CW_E_INVALID);
    cr_expect(strstr(err.text, "KUBERNETES_SERVICE_HOST") != NULL);
    setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    cr_assert_eq(cw_kubernetes_server_find(&config, folder, arena, &server, &err), 0, "%s",
                 err.text);
    cr_expect(cw_str_eqz(server.url, "https://10.96.0.1:443") &&
              cw_str_eqz(server.own_namespace, "logging"));
    cr_expect(cw_str_ends(server.access.bearer_token_file, CW_STR("/token")) &&
              cw_str_ends(server.access.tls.ca_file, CW_STR("/ca.crt")));
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    cr_assert_eq(cw_kubernetes_server_find(&config, folder, arena, &server, &err), 0);
    cr_expect(cw_str_eqz(server.url, "https://[fd00::1]:443"));
    config.api_server = CW_STR("http://127.0.0.1:1/");
    cr_assert_eq(cw_kubernetes_server_find(&config, folder, arena, &server, &err), 0);
    cr_expect(cw_str_eq(server.url, CW_STR("http://127.0.0.1:1")));
    unlink(path);
    rmdir(folder);
    cw_arena_free(&arena);
}
