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

static const struct cw_kubernetes_view pods = {.role = CW_KUBERNETES_POD},
                                       plain_pods = {.role = CW_KUBERNETES_POD, .plain = true},
                                       nodes = {.role = CW_KUBERNETES_NODE};

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
        cw_kubernetes_list_decode(cw_str_of(body), CW_KUBERNETES_POD, &pods, arena, &list, &err), 0,
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
                                            CW_KUBERNETES_POD, &plain_pods, arena, &object,
                                            &version, &err),
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
    cr_assert_eq(cw_kubernetes_event_decode(cw_str_of(static_pod), CW_KUBERNETES_POD, &plain_pods,
                                            arena, &object, &version, &err),
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
        cr_expect_eq(cw_kubernetes_event_decode(cw_str_of(cases[i].line), CW_KUBERNETES_POD, &pods,
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
        "\"Hostname\",\"address\":\"n1\"},{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"},{\"type\":"
        "\"InternalIP\",\"address\":\"10.0.0.2\"}],\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}}}}]}";
    struct cw_arena *arena = cw_arena_new();
    struct cw_kubernetes_list list;
    struct cw_err err = {0};
    cr_assert_eq(
        cw_kubernetes_list_decode(cw_str_of(body), CW_KUBERNETES_NODE, &nodes, arena, &list, &err),
        0);
    cr_expect_str_eq(
        text_of(&list.objects[0].found[0].labels),
        "{__address__=\"10.0.0.1:10250\", __meta_kubernetes_node_address_Hostname=\"n1\", "
        "__meta_kubernetes_node_address_InternalIP=\"10.0.0.1\", "
        "__meta_kubernetes_node_label_zone=\"a\", "
        "__meta_kubernetes_node_labelpresent_zone=\"true\", "
        "__meta_kubernetes_node_name=\"n1\", __meta_kubernetes_node_provider_id=\"p\", "
        "instance=\"n1\"}");
    cw_arena_free(&arena);
}

#define SERVICE                                                                                       \
    "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"tier\":\"front\"}},"        \
    "\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.9\",\"loadBalancerIP\":\"1.2.3.4\"," \
    "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}"
#define NODE                                                                                       \
    "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"zone\":\"a\"},\"annotations\":{\"x\":\"y\"}}}"

static const char *found_of(int role, const char *json,
                            struct cw_str (*find)(void *arg, int kind, struct cw_str key),
                            bool with_nodes, size_t *n_out, struct cw_arena *arena)
{
    struct cw_kubernetes_view view = {
        .role = role, .joins = find != NULL, .nodes = with_nodes, .find = find};
    struct cw_kubernetes_list list;
    struct cw_err err = {0};
    struct cw_str body =
        cw_arena_printf(arena, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[%s]}", json);
    cr_assert_eq(cw_kubernetes_list_decode(body, role, &view, arena, &list, &err), 0, "%s",
                 err.text);
    cr_assert_eq(list.n, 1);
    struct cw_kubernetes_object object = list.objects[0];
    if (view.joins) {
        cr_assert_eq(object.nfound, 0);
        cw_kubernetes_text_decode(object.key, object.text, &view, arena, &object);
    }
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < object.nfound; i++)
        cw_buf_addf(&text, "%s\n", text_of(&object.found[i].labels));
    const char *out = cw_arena_dup(arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    *n_out = object.nfound;
    return out;
}

Test(kubernetes_api, a_service_is_a_target_for_each_port)
{
    struct cw_arena *arena = cw_arena_new();
    size_t n;
    cr_expect_str_eq(found_of(CW_KUBERNETES_SERVICE, SERVICE, NULL, false, &n, arena),
                     "{__address__=\"web.shop.svc:80\", __meta_kubernetes_namespace=\"shop\", "
                     "__meta_kubernetes_service_cluster_ip=\"10.96.0.9\", "
                     "__meta_kubernetes_service_label_tier=\"front\", "
                     "__meta_kubernetes_service_labelpresent_tier=\"true\", "
                     "__meta_kubernetes_service_loadbalancer_ip=\"1.2.3.4\", "
                     "__meta_kubernetes_service_name=\"web\", "
                     "__meta_kubernetes_service_port_name=\"http\", "
                     "__meta_kubernetes_service_port_number=\"80\", "
                     "__meta_kubernetes_service_port_protocol=\"TCP\", "
                     "__meta_kubernetes_service_type=\"LoadBalancer\"}\n");
    cw_arena_free(&arena);
}

Test(kubernetes_api, an_ingress_is_a_target_for_each_path)
{
    static const char ingress[] =
        "{\"metadata\":{\"name\":\"i\",\"namespace\":\"shop\"},\"spec\":{\"ingressClassName\":\"c\","
        "\"tls\":[{\"hosts\":[\"*.b.c\"]}],\"rules\":[{\"host\":\"a.b.c\",\"http\":{\"paths\":[{"
        "\"path\":\"/x\"},{\"path\":\"\"}]}},{\"host\":\"b.c\"}]}}";
    static const char common[] = "__meta_kubernetes_ingress_class_name=\"c\"";
    struct cw_arena *arena = cw_arena_new();
    size_t n;
    const char *text = found_of(CW_KUBERNETES_INGRESS, ingress, NULL, false, &n, arena);
    cr_assert_eq(n, 3);
    cr_expect(strstr(text, common) != NULL);
    cr_expect(strstr(text, "host=\"a.b.c\", __meta_kubernetes_ingress_name=\"i\", "
                           "__meta_kubernetes_ingress_path=\"/x\", "
                           "__meta_kubernetes_ingress_scheme=\"https\"") != NULL);
    cr_expect(strstr(text, "host=\"b.c\", __meta_kubernetes_ingress_name=\"i\", "
                           "__meta_kubernetes_ingress_path=\"/\", "
                           "__meta_kubernetes_ingress_scheme=\"http\"") != NULL,
              "%s", text);
    cw_arena_free(&arena);
}

static struct cw_str find_all(void *arg, int kind, struct cw_str key)
{
    (void)arg;
    if (kind == CW_KUBERNETES_POD && cw_str_eqz(key, "shop/web-7d"))
        return CW_STR(POD);
    if (kind == CW_KUBERNETES_SERVICE && cw_str_eqz(key, "shop/web"))
        return CW_STR(SERVICE);
    if (kind == CW_KUBERNETES_NODE && cw_str_eqz(key, "/n1"))
        return CW_STR(NODE);
    return CW_STR_NONE;
}

Test(kubernetes_api, endpoints_have_the_labels_of_their_pods_services_and_nodes)
{
    static const char endpoints[] =
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"subsets\":[{\"addresses\":[{\"ip\":"
        "\"10.1.2.3\",\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"web-7d\","
        "\"namespace\":\"shop\"}}],\"notReadyAddresses\":[{\"ip\":\"10.1.2.4\"}],\"ports\":[{\"name\":"
        "\"http\",\"port\":8080,\"protocol\":\"TCP\"}]}]}";
    struct cw_arena *arena = cw_arena_new();
    size_t n;
    const char *text = found_of(CW_KUBERNETES_ENDPOINTS, endpoints, find_all, true, &n, arena);
    cr_assert_eq(n, 3, "the pod's endpoint, one without a pod, the pod's other port: %s", text);
    static const char *const wants[] = {
        "{__address__=\"10.1.2.3:8080\", __meta_kubernetes_endpoint_address_target_kind=\"Pod\", "
        "__meta_kubernetes_endpoint_address_target_name=\"web-7d\", "
        "__meta_kubernetes_endpoint_node_name=\"n1\", "
        "__meta_kubernetes_endpoint_port_name=\"http\", "
        "__meta_kubernetes_endpoint_port_protocol=\"TCP\", "
        "__meta_kubernetes_endpoint_ready=\"true\", __meta_kubernetes_endpoints_name=\"web\", "
        "__meta_kubernetes_namespace=\"shop\", __meta_kubernetes_node_annotation_x=\"y\", "
        "__meta_kubernetes_node_annotationpresent_x=\"true\", "
        "__meta_kubernetes_node_label_zone=\"a\", "
        "__meta_kubernetes_node_labelpresent_zone=\"true\", __meta_kubernetes_node_name=\"n1\", ",
        "__meta_kubernetes_pod_container_image=\"web:1\", "
        "__meta_kubernetes_pod_container_init=\"false\", "
        "__meta_kubernetes_pod_container_name=\"app\", "
        "__meta_kubernetes_pod_container_port_name=\"http\", ",
        "__meta_kubernetes_service_label_tier=\"front\"",
        "{__address__=\"10.1.2.4:8080\", __meta_kubernetes_endpoint_port_name=\"http\", "
        "__meta_kubernetes_endpoint_port_protocol=\"TCP\", "
        "__meta_kubernetes_endpoint_ready=\"false\"",
        "{__address__=\"10.1.2.3:9\", __meta_kubernetes_endpoints_name=\"web\"",
    };
    for (size_t i = 0; i < CW_COUNT(wants); i++)
        cr_expect(strstr(text, wants[i]) != NULL, "%s in %s", wants[i], text);
    cw_arena_free(&arena);
}

Test(kubernetes_api, endpoint_slices_too)
{
    static const char slice[] =
        "{\"metadata\":{\"name\":\"web-x\",\"namespace\":\"shop\",\"labels\":{"
        "\"kubernetes.io/service-name\":\"web\"}},\"addressType\":\"IPv6\",\"endpoints\":[{"
        "\"addresses\":[\"fd00::1\"],\"conditions\":{\"ready\":true,\"serving\":false},\"zone\":\"z\","
        "\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"web-7d\"}}],\"ports\":[{"
        "\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\",\"appProtocol\":\"h2\"}]}";
    struct cw_arena *arena = cw_arena_new();
    size_t n;
    const char *text = found_of(CW_KUBERNETES_ENDPOINTSLICE, slice, find_all, false, &n, arena);
    cr_assert_eq(n, 2);
    static const char *const wants[] = {
        "{__address__=\"[fd00::1]:8080\", ",
        "__meta_kubernetes_endpointslice_address_target_kind=\"Pod\", "
        "__meta_kubernetes_endpointslice_address_target_name=\"web-7d\", "
        "__meta_kubernetes_endpointslice_address_type=\"IPv6\", "
        "__meta_kubernetes_endpointslice_endpoint_conditions_ready=\"true\", "
        "__meta_kubernetes_endpointslice_endpoint_conditions_serving=\"false\", "
        "__meta_kubernetes_endpointslice_endpoint_node_name=\"n1\", "
        "__meta_kubernetes_endpointslice_endpoint_zone=\"z\", ",
        "__meta_kubernetes_endpointslice_port=\"8080\", "
        "__meta_kubernetes_endpointslice_port_app_protocol=\"h2\", "
        "__meta_kubernetes_endpointslice_port_name=\"http\"",
        "__meta_kubernetes_pod_name=\"web-7d\"",
        "__meta_kubernetes_service_name=\"web\"",
    };
    for (size_t i = 0; i < CW_COUNT(wants); i++)
        cr_expect(strstr(text, wants[i]) != NULL, "%s in %s", wants[i], text);
    cr_expect(strstr(text, "node_label") == NULL, "nodes are attached only if asked for");
    cw_arena_free(&arena);
}

Test(kubernetes_api, a_kept_pod_decodes_as_the_whole_one)
{
    struct cw_arena *arena = cw_arena_new();
    size_t n;
    const char *whole = found_of(CW_KUBERNETES_POD, POD, NULL, false, &n, arena);
    cr_expect_str_eq(found_of(CW_KUBERNETES_POD, POD, find_all, false, &n, arena), whole);
    const char *attached = found_of(CW_KUBERNETES_POD, POD, find_all, true, &n, arena);
    cr_expect(strstr(attached, "__meta_kubernetes_node_label_zone=\"a\"") != NULL, "%s", attached);
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
    cw_kubernetes_list_url(&config, CW_KUBERNETES_POD, CW_STR("https://k"), CW_STR("ns"),
                           CW_STR("a+b"), &url);
    cr_expect_str_eq(
        cw_buf_z(&url),
        "https://k/api/v1/namespaces/ns/pods?limit=500&labelSelector=app%20in%20%28a%2C"
        "b%29&fieldSelector=spec.nodeName%3Dn1&continue=a%2Bb");
    cw_buf_clear(&url);
    config.selectors.n = 0;
    cw_kubernetes_watch_url(&config, CW_KUBERNETES_POD, CW_STR("https://k"), CW_STR_NONE,
                            CW_STR("12"), 240, &url);
    cr_expect_str_eq(cw_buf_z(&url),
                     "https://k/api/v1/"
                     "pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=12");
    static const struct {
        int kind;
        const char *want;
    } cases[] = {
        {CW_KUBERNETES_NODE, "https://k/api/v1/nodes?limit=500"},
        {CW_KUBERNETES_SERVICE, "https://k/api/v1/namespaces/ns/services?limit=500"},
        {CW_KUBERNETES_ENDPOINTS, "https://k/api/v1/namespaces/ns/endpoints?limit=500"},
        {CW_KUBERNETES_ENDPOINTSLICE,
         "https://k/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices?limit=500"},
        {CW_KUBERNETES_INGRESS,
         "https://k/apis/networking.k8s.io/v1/namespaces/ns/ingresses?limit=500"},
    };
    config.selectors.n = 1; /* of pods only */
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_buf_clear(&url);
        cw_kubernetes_list_url(&config, cases[i].kind, CW_STR("https://k"), CW_STR("ns"),
                               CW_STR_NONE, &url);
        cr_expect_str_eq(cw_buf_z(&url), cases[i].want);
    }
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
