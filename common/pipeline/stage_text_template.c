#include "common/pipeline/stage_text_template.h"

#include "common/base/limits.h"

int cw_stage_text_template_init(struct cw_stages_build *build, struct cw_str text,
                                struct cw_stage_text_template *template, struct cw_err *err)
{
    struct cw_go_template_needs needs;
    cw_buf_init(&template->out, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    int rc =
        cw_go_template_compile_shipper(CW_STR("pipeline_template"), text, &template->tmpl, err);
    if (rc < 0)
        return rc;
    template->run = cw_go_template_run_new();
    cw_go_template_needs(template->tmpl, &needs);
    build->stages->keeps_others |= needs.all_fields;
    template->fields = needs.fields;
    template->nfields = needs.nfields;
    template->slots = CW_ARENA_ARRAY(build->arena, uint32_t, needs.nfields);
    for (size_t i = 0; i < needs.nfields; i++)
        template->slots[i] = cw_stage_slot(build, needs.fields[i]);
    return 0;
}

void cw_stage_text_template_fini(struct cw_stage_text_template *template)
{
    cw_go_template_run_free(&template->run);
    cw_go_template_free(&template->tmpl);
    cw_buf_fini(&template->out);
}

static bool get_field(void *user, struct cw_str name, struct cw_str *value)
{
    const struct cw_stage_text_template *template = user;
    if (cw_str_eqz(name, "Value") && template->value != NULL) {
        *value = *template->value;
        return true;
    }
    if (cw_str_eqz(name, "Entry")) {
        *value = template->item->entry.line;
        return true;
    }
    for (size_t i = 0; i < template->nfields; i++) {
        if (cw_str_eq(template->fields[i], name))
            return cw_stage_text(template->stages_run, template->item, template->slots[i], value);
    }
    return false;
}

static void add_field(struct cw_label *fields, size_t *n, struct cw_str name, struct cw_str value)
{
    for (size_t i = 0; i < *n; i++) {
        if (cw_str_eq(fields[i].name, name)) {
            fields[i].value = value;
            return;
        }
    }
    fields[(*n)++] = (struct cw_label){name, value};
}

static size_t list_fields(void *user, const struct cw_label **items)
{
    const struct cw_stage_text_template *template = user;
    const struct cw_stages_run *run = template->stages_run;
    const struct cw_stage_item *item = template->item;
    const struct cw_stages *stages = run->stages;
    size_t n = 0, nmax = stages->nslots + item->nfed + item->nothers + 2;
    struct cw_label *fields = CW_ARENA_ARRAY(run->options.arena, struct cw_label, nmax);
    struct cw_str text;
    for (size_t i = 0; i < item->nfed; i++)
        fields[n++] = item->fed[i];
    for (size_t i = 0; i < stages->nslots; i++) {
        if (cw_stage_text(run, item, (uint32_t)i, &text))
            add_field(fields, &n, stages->slot_names[i], text);
    }
    for (size_t i = 0; i < item->nothers; i++) {
        if (item->others[i].value.kind >= CW_EXTRACTED_TEXT)
            add_field(fields, &n, item->others[i].name, item->others[i].value.text);
    }
    if (template->value != NULL)
        add_field(fields, &n, CW_STR("Value"), *template->value);
    add_field(fields, &n, CW_STR("Entry"), item->entry.line);
    cw_label_pairs_sort(fields, n);
    *items = fields;
    return n;
}

bool cw_stage_text_template_run(struct cw_stage_text_template *template,
                                const struct cw_stages_run *run, const struct cw_stage_item *item,
                                const struct cw_str *value, struct cw_str *out)
{
    struct cw_go_template_input input = {
        .get = get_field,
        .list = list_fields,
        .user = template,
        .line = item->entry.line,
        .timestamp_ns = item->entry.ts_ns,
        .now_ns = run->options.now_ns,
    };
    struct cw_err err;
    template->stages_run = run;
    template->item = item;
    template->value = value;
    cw_buf_clear(&template->out);
    if (cw_go_template_execute(template->tmpl, template->run, &input, &template->out, &err) < 0)
        return false;
    *out = cw_buf_str(&template->out);
    return true;
}
