#include "shipper/docker_api.h"
#include <inttypes.h>
#include <jansson.h>
#include "common/base/assert.h"
#include "common/net/http_params.h"
#include "common/wire/json_writer.h"

#define API "http://docker"

void cw_docker_list_url(const struct cw_docker_sd_config *config, struct cw_buf *out)
{
    const struct cw_docker_filter *filters = config->filters.items;
    struct cw_buf json;
    cw_buf_init(&json, 1 << 20);
    struct cw_json_writer w = cw_json_writer_make(&json);
    cw_json_begin_object(&w);
    for (size_t i = 0; i < config->filters.n; i++) {
        cw_json_key(&w, filters[i].name);
        cw_json_begin_array(&w);
        for (size_t k = 0; k < filters[i].values.n; k++)
            cw_json_string(&w, filters[i].values.items[k]);
        cw_json_end_array(&w);
    }
    cw_json_end_object(&w);
    cw_buf_addz(out, API "/containers/json?all=1&filters=");
    cw_http_escape(cw_buf_str(&json), out);
    cw_buf_fini(&json);
}

void cw_docker_events_url(int64_t since_s, struct cw_buf *out)
{
    cw_buf_addf(out, API "/events?since=%" PRId64 "&filters=", since_s);
    cw_http_escape(
        CW_STR("{\"type\":[\"container\"],\"event\":[\"create\",\"start\",\"die\",\"destroy\"]}"),
        out);
}

void cw_docker_inspect_url(struct cw_str id, struct cw_buf *out)
{
    cw_buf_addz(out, API "/containers/");
    cw_http_escape(id, out);
    cw_buf_addz(out, "/json");
}

static struct cw_str text_of(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return CW_STR_NONE;
    return cw_arena_dup(arena, cw_str_make(json_string_value(value), json_string_length(value)));
}

static struct cw_labels container_labels(const json_t *container, struct cw_arena *arena)
{
    const json_t *labels = json_object_get(container, "Labels");
    const json_t *name = json_array_get(json_object_get(container, "Names"), 0);
    struct cw_str name_text =
        json_is_string(name) ? cw_str_of(json_string_value(name)) : CW_STR_NONE;
    if (cw_str_starts(name_text, CW_STR("/")))
        name_text = cw_str_sub(name_text, 1, name_text.len);
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, 4);
    pairs[0] = (struct cw_label){CW_STR("container"), cw_arena_dup(arena, name_text)};
    pairs[1] = (struct cw_label){CW_STR("image"), text_of(container, "Image", arena)};
    pairs[2] = (struct cw_label){CW_STR("compose_project"),
                                 text_of(labels, "com.docker.compose.project", arena)};
    pairs[3] = (struct cw_label){CW_STR("compose_service"),
                                 text_of(labels, "com.docker.compose.service", arena)};
    struct cw_labels out;
    int rc = cw_labels_from_pairs(pairs, 4, &out, NULL);
    CW_ASSERT(rc == 0); /* four different names */
    return out;
}

static int document_load(struct cw_str body, json_t **out, struct cw_err *err)
{
    json_error_t error;
    *out = json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, &error);
    return *out ? 0
                : cw_err_set(err, CW_E_INVALID, "the Docker Engine's answer is no JSON: %s",
                             error.text);
}

int cw_docker_list_decode(struct cw_str body, struct cw_arena *arena,
                          struct cw_docker_container **out, size_t *n_out, struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    if (!json_is_array(document))
        rc = cw_err_set(err, CW_E_INVALID, "the Docker Engine's list of containers is no list");
    size_t n = json_array_size(document), count = 0;
    *out = CW_ARENA_ARRAY(arena, struct cw_docker_container, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *container = json_array_get(document, i);
        struct cw_docker_container one = {text_of(container, "Id", arena), CW_LABELS_NONE};
        if (one.id.len == 0)
            continue;
        one.labels = container_labels(container, arena);
        (*out)[count++] = one;
    }
    *n_out = count;
    json_decref(document);
    return rc;
}

int cw_docker_inspect_decode(struct cw_str body, struct cw_arena *arena, bool *json_file_out,
                             struct cw_str *path_out, struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    const json_t *log_config =
        json_object_get(json_object_get(document, "HostConfig"), "LogConfig");
    struct cw_str driver = text_of(log_config, "Type", arena);
    *json_file_out = driver.len == 0 || cw_str_eqz(driver, "json-file");
    *path_out = *json_file_out ? text_of(document, "LogPath", arena) : CW_STR_NONE;
    if (path_out->len > 0 && (path_out->ptr[0] != '/' || strlen(path_out->ptr) != path_out->len))
        rc = cw_err_set(err, CW_E_INVALID,
                        "the Docker Engine names a log file that is no absolute path");
    json_decref(document);
    return rc;
}
