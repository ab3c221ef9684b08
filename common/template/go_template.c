/* Templates compiled and executed: the walk over the nodes. Its functions are in go_template_functions.c. */
#include "common/template/go_template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/template/go_template_priv.h"

/* ---- templates and runs ---- */

static int compile(struct cw_str name, struct cw_str text, cw_gt_find_fn find,
                   struct cw_go_template **out, struct cw_err *err)
{
    struct cw_go_template *tmpl = cw_mem_new(sizeof *tmpl);
    tmpl->find = find;
    tmpl->arena = cw_arena_new();
    tmpl->name = cw_arena_dup(tmpl->arena, name);
    tmpl->text = cw_arena_dup(tmpl->arena, text);
    int rc = cw_gt_parse(tmpl, err);
    if (rc < 0)
        cw_go_template_free(&tmpl);
    else
        *out = tmpl;
    return rc;
}

int cw_go_template_compile(struct cw_str name, struct cw_str text, struct cw_go_template **out,
                           struct cw_err *err)
{
    return compile(name, text, cw_gt_func_find, out, err);
}

int cw_go_template_compile_shipper(struct cw_str name, struct cw_str text,
                                   struct cw_go_template **out, struct cw_err *err)
{
    int rc = compile(name, text, cw_gt_func_find_shipper, out, err);
    if (rc == 0)
        (*out)->missing_is_none = true;
    return rc;
}

void cw_go_template_free(struct cw_go_template **tmpl)
{
    if (*tmpl == NULL)
        return;
    cw_arena_free(&(*tmpl)->arena);
    free(*tmpl);
    *tmpl = NULL;
}

void cw_go_template_needs(const struct cw_go_template *tmpl, struct cw_go_template_needs *out)
{
    *out = (struct cw_go_template_needs){
        .fields = tmpl->fields,
        .nfields = tmpl->nfields,
        .all_fields = tmpl->needs_all,
        .line = tmpl->needs_line,
        .timestamp = tmpl->needs_timestamp,
    };
}

struct cw_go_template_run *cw_go_template_run_new(void)
{
    struct cw_go_template_run *run = cw_mem_new(sizeof *run);
    run->arena = cw_arena_new();
    cw_buf_init(&run->tmp, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    cw_buf_init(&run->zone_name, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    return run;
}

void cw_go_template_run_free(struct cw_go_template_run **run)
{
    if (*run == NULL)
        return;
    for (size_t i = 0; i < CW_GT_REGEX_CACHE; i++) {
        free((void *)(*run)->regexes[i].pattern.ptr);
        cw_regex_free(&(*run)->regexes[i].regex);
    }
    cw_arena_free(&(*run)->arena);
    cw_buf_fini(&(*run)->tmp);
    cw_buf_fini(&(*run)->zone_name);
    free((*run)->vars);
    free(*run);
    *run = NULL;
}

const struct cw_regex *cw_gt_regex(struct cw_go_template_run *run, struct cw_str pattern)
{
    struct cw_gt_regex *oldest = &run->regexes[0];
    for (size_t i = 0; i < CW_GT_REGEX_CACHE; i++) {
        struct cw_gt_regex *entry = &run->regexes[i];
        if (entry->regex != NULL && cw_str_eq(entry->pattern, pattern)) {
            entry->used = ++run->regex_clock;
            return entry->regex;
        }
        if (entry->used < oldest->used)
            oldest = entry;
    }
    struct cw_regex *regex;
    if (cw_regex_compile(pattern, CW_REGEX_SEARCH, &regex, &run->err) < 0)
        return NULL;
    free((void *)oldest->pattern.ptr);
    cw_regex_free(&oldest->regex);
    *oldest = (struct cw_gt_regex){.pattern = cw_str_make(cw_str_dupz(pattern), pattern.len),
                                   .regex = regex,
                                   .used = ++run->regex_clock};
    return regex;
}

/* ---- errors ---- */

static void fail_v(struct cw_go_template_run *run, const char *fmt, va_list ap)
{
    char text[CW_ERR_TEXT_BYTES];
    vsnprintf(text, sizeof text, fmt, ap);
    cw_err_set(&run->err, CW_E_INVALID, "%s", text);
}

int cw_gt_fail(struct cw_go_template_run *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_v(run, fmt, ap);
    va_end(ap);
    return -1;
}

int cw_gt_fail_limit(struct cw_go_template_run *run, const char *what)
{
    cw_err_set(&run->err, CW_E_LIMIT, "%s", what);
    return -1;
}

int cw_gt_spend(struct cw_go_template_run *run, size_t n, size_t nbytes)
{
    run->steps += (unsigned)CW_MIN(n, (size_t)CW_LIMIT_TEMPLATE_STEPS + 1);
    if (run->steps > CW_LIMIT_TEMPLATE_STEPS)
        return cw_gt_fail_limit(run, "the template takes more steps than it may");
    if (cw_arena_bytes(run->arena) + nbytes > CW_LIMIT_TEMPLATE_MEMORY_BYTES)
        return cw_gt_fail_limit(run, "the template takes more memory than it may");
    return 0;
}

int cw_gt_take_tmp(struct cw_go_template_run *run, struct cw_go_value *out)
{
    if (cw_buf_failed(&run->tmp) || cw_arena_bytes(run->arena) > CW_LIMIT_TEMPLATE_MEMORY_BYTES)
        return cw_gt_fail_limit(run, "the template makes more text than it may");
    *out = cw_go_string(cw_arena_dup(run->arena, cw_buf_str(&run->tmp)));
    return 0;
}

/* Put the place in front of run->err: "template: line:1:2: executing "line" at <div 1 0>: ". */
static int located(struct cw_go_template_run *run)
{
    struct cw_str before = cw_str_sub(run->tmpl->text, 0, run->node->pos);
    size_t line = 1, column = 0;
    for (size_t i = 0; i < before.len; i++, column++) {
        if (before.ptr[i] == '\n') {
            line++;
            column = (size_t)-1;
        }
    }
    struct cw_buf place;
    cw_buf_init(&place, CW_ERR_TEXT_BYTES);
    cw_buf_addf(&place, "template: %.*s:%zu:%zu: executing ", CW_STR_ARG(run->tmpl->name), line,
                column);
    cw_quote_go(run->tree->name, &place);
    cw_buf_addz(&place, " at <");
    cw_gt_node_print(run->node, &place);
    cw_buf_addz(&place, ">");
    cw_err_wrap(&run->err, "%s", cw_buf_z(&place));
    cw_buf_fini(&place);
    return -1;
}

static int fail_at(struct cw_go_template_run *run, const char *fmt, ...) CW_PRINTF(2, 3);
static int fail_at(struct cw_go_template_run *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_v(run, fmt, ap);
    va_end(ap);
    return located(run);
}

/* `fmt` has one %s: the node or value. */
static int fail_at_node(struct cw_go_template_run *run, const char *before,
                        const struct cw_gt_node *node, const char *behind)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_ERR_TEXT_BYTES);
    cw_gt_node_print(node, &text);
    fail_at(run, "%s%s%s", before, cw_buf_z(&text), behind);
    cw_buf_fini(&text);
    return -1;
}

static int step(struct cw_go_template_run *run)
{
    return cw_gt_spend(run, 1, 0) < 0 ? located(run) : 0;
}

static int enter(struct cw_go_template_run *run)
{
    if (step(run) < 0)
        return -1;
    if (++run->depth <= 2 * CW_LIMIT_TEMPLATE_DEPTH)
        return 0;
    cw_gt_fail_limit(run, "exceeded maximum template depth");
    return located(run);
}

/* ---- variables ---- */

static void push_var(struct cw_go_template_run *run, struct cw_str name, struct cw_go_value value)
{
    if (run->nvars == run->vars_cap) {
        run->vars_cap = run->vars_cap == 0 ? 16 : 2 * run->vars_cap;
        run->vars = cw_mem_resize(run->vars, run->vars_cap * sizeof *run->vars);
    }
    run->vars[run->nvars++] = (struct cw_gt_var){name, value};
}

/* The nearest of that name; NULL: one that was named by the parser but not declared by then, with the error told. */
static struct cw_gt_var *find_var(struct cw_go_template_run *run, struct cw_str name)
{
    for (size_t i = run->nvars; i > run->base; i--)
        if (cw_str_eq(run->vars[i - 1].name, name))
            return &run->vars[i - 1];
    fail_at(run, "undefined variable: %.*s", CW_STR_ARG(name));
    return NULL;
}

static int set_var(struct cw_go_template_run *run, const struct cw_gt_node *decl,
                   struct cw_go_value value)
{
    struct cw_gt_var *var = find_var(run, decl->idents[0]);
    if (var == NULL)
        return -1;
    var->value = value;
    return 0;
}

/* ---- expressions ---- */

static int eval_pipeline(struct cw_go_template_run *run, struct cw_go_value dot,
                         const struct cw_gt_node *pipe, struct cw_go_value *out);

/* A call: the node that is blamed for an error of the function, the arguments behind its name, and what the pipeline gave. */
struct call {
    const struct cw_gt_node *node;
    const struct cw_gt_node *const *args;
    size_t nargs;
    const struct cw_go_value *final; /* NULL: none */
};

/* What `call` calls, for its error: as it is written, or the text that came down the pipeline, or its type. */
static struct cw_str callee_of(struct cw_go_template_run *run, struct call call)
{
    cw_buf_clear(&run->tmp);
    if (call.nargs > 0)
        cw_gt_node_print(call.args[0], &run->tmp);
    else if (call.final->kind == CW_GO_STRING)
        return call.final->text;
    else
        cw_buf_addf(&run->tmp, "<%s Value>", cw_go_type_name(call.final->kind));
    return cw_arena_dup(run->arena, cw_buf_str(&run->tmp));
}

static int eval_function(struct cw_go_template_run *run, struct cw_go_value dot,
                         const struct cw_gt_node *ident, struct call call, struct cw_go_value *out);

static bool has_point(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr(".eEpP", text.ptr[i]) != NULL)
            return true;
    return false;
}

static bool is_hex_int(struct cw_str s)
{
    return s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x' &&
           cw_str_find_byte(s, 'p') < 0 && cw_str_find_byte(s, 'P') < 0;
}

/* A number where nothing asks for a type: how it is written decides. */
static int eval_number(struct cw_go_template_run *run, const struct cw_gt_node *node,
                       struct cw_go_value *out)
{
    const struct cw_gt_number *number = &node->number;
    run->node = node;
    if (number->is_complex)
        *out = (struct cw_go_value){
            .kind = CW_GO_COMPLEX, .real = number->f, .imaginary = number->imaginary};
    else if (number->is_float && node->text.ptr[0] != '\'' && !is_hex_int(node->text) &&
             has_point(node->text))
        *out = cw_go_float(number->f);
    else if (number->is_int)
        *out = cw_go_int(number->i);
    else
        return fail_at(run, "%.*s overflows int", CW_STR_ARG(node->text));
    return 0;
}

static int call_function(struct cw_go_template_run *run, const struct cw_gt_func *func,
                         struct cw_str name, const struct cw_gt_node *node,
                         const struct cw_go_value *args, size_t nargs, struct cw_go_value *out)
{
    if (func->fn(run, args, nargs, out) == 0)
        return 0;
    run->node = node;
    cw_err_wrap(&run->err, "error calling %.*s", CW_STR_ARG(name));
    return located(run);
}

static const char *type_name(enum cw_gt_type type)
{
    static const char *const names[] = {
        [CW_GT_T_ANY] = "interface {}",       [CW_GT_T_REFLECT] = "reflect.Value",
        [CW_GT_T_STRING] = "string",          [CW_GT_T_INT] = "int",
        [CW_GT_T_FLOAT] = "float64",          [CW_GT_T_TIME] = "time.Time",
        [CW_GT_T_DURATION] = "time.Duration", [CW_GT_T_LOCATION] = "*time.Location",
    };
    return names[type];
}

/* Is the value one of the type? Go has no conversions here. */
static int check_type(struct cw_go_template_run *run, enum cw_gt_type type,
                      struct cw_go_value *value)
{
    static const enum cw_go_kind kinds[] = {
        [CW_GT_T_STRING] = CW_GO_STRING,     [CW_GT_T_INT] = CW_GO_INT,
        [CW_GT_T_FLOAT] = CW_GO_FLOAT,       [CW_GT_T_TIME] = CW_GO_TIME,
        [CW_GT_T_DURATION] = CW_GO_DURATION, [CW_GT_T_LOCATION] = CW_GO_LOCATION};
    if (type == CW_GT_T_REFLECT)
        return 0;
    if (type == CW_GT_T_ANY) {
        if (value->kind == CW_GO_INVALID)
            value->kind = CW_GO_NIL;
        return 0;
    }
    if (value->kind == CW_GO_INVALID && type == CW_GT_T_LOCATION) { /* a pointer may be nil */
        value->kind = CW_GO_NIL;
        return 0;
    }
    if (value->kind == CW_GO_INVALID)
        return fail_at(run, "invalid value; expected %s", type_name(type));
    if (value->kind != kinds[type])
        return fail_at(run, "wrong type for value; expected %s; got %s", type_name(type),
                       cw_go_type_name(value->kind));
    return 0;
}

struct cw_go_value cw_gt_missing(const struct cw_go_template_run *run)
{
    return run->tmpl->missing_is_none ? (struct cw_go_value){.kind = CW_GO_INVALID}
                                      : cw_go_string(CW_STR_NONE);
}

static int eval_arg(struct cw_go_template_run *run, struct cw_go_value dot, enum cw_gt_type type,
                    const struct cw_gt_node *node, struct cw_go_value *out);

static int call_method(struct cw_go_template_run *run, struct cw_go_value dot,
                       const struct cw_gt_func *method, struct cw_go_value receiver,
                       struct cw_str name, struct call call, struct cw_go_value *out)
{
    struct cw_go_value args[CW_GT_MAX_PARAMS] = {receiver};
    size_t nargs = call.nargs + (call.final != NULL);
    if (nargs + 1 != method->nparams)
        return fail_at(run, "wrong number of args for %.*s: want %d got %zu", CW_STR_ARG(name),
                       method->nparams - 1, nargs);
    for (size_t i = 0; i < call.nargs; i++)
        if (eval_arg(run, dot, (enum cw_gt_type)method->types[i + 1], call.args[i], &args[i + 1]) <
            0)
            return -1;
    if (call.final != NULL) {
        args[nargs] = *call.final;
        if (check_type(run, (enum cw_gt_type)method->types[nargs], &args[nargs]) < 0)
            return -1;
    }
    return call_function(run, method, name, call.node, args, nargs + 1, out);
}

/* `.name` of a value; arguments are evaluated where dot is `dot`. */
static int eval_field(struct cw_go_template_run *run, struct cw_go_value dot,
                      struct cw_go_value receiver, struct cw_str name, struct call call,
                      struct cw_go_value *out)
{
    const struct cw_gt_func *method = cw_gt_method(receiver.kind, name);
    const char *refused = cw_gt_method_refused(receiver.kind, name);
    const char *type = receiver.boxed ? "interface {}" : cw_go_type_name(receiver.kind);
    bool has_args = call.nargs > 0 || call.final != NULL;
    bool found;
    if (method != NULL)
        return call_method(run, dot, method, receiver, name, call, out);
    if (refused != NULL && has_args)
        return fail_at(run, "wrong number of args for %.*s: want 0 got %zu", CW_STR_ARG(name),
                       call.nargs + (call.final != NULL));
    if (refused != NULL)
        return fail_at(run, "%s", refused);
    switch (receiver.kind) {
    case CW_GO_INVALID: *out = receiver; return 0;
    case CW_GO_NIL: return fail_at(run, "nil pointer evaluating %s.%.*s", type, CW_STR_ARG(name));
    case CW_GO_FIELDS:
    case CW_GO_MAP:
        if (has_args)
            return fail_at(run, "%.*s is not a method but has arguments", CW_STR_ARG(name));
        if (receiver.kind == CW_GO_MAP) {
            *out = cw_go_map_get(receiver.map, name, &found);
        } else {
            *out = cw_go_string(CW_STR_NONE);
            if (!run->input->get(run->input->user, name, &out->text))
                *out = cw_gt_missing(run);
        }
        return 0;
    default: break;
    }
    return fail_at(run, "can't evaluate field %.*s in type %s", CW_STR_ARG(name), type);
}

/* .x.y.z of `receiver`: what stands before the last takes no arguments. */
static int eval_fields(struct cw_go_template_run *run, struct cw_go_value dot,
                       struct cw_go_value receiver, const struct cw_gt_node *node, size_t from,
                       struct call call, struct cw_go_value *out)
{
    for (size_t i = from; i + 1 < node->nidents; i++)
        if (eval_field(run, dot, receiver, node->idents[i], (struct call){.node = node},
                       &receiver) < 0)
            return -1;
    call.node = node;
    return eval_field(run, dot, receiver, node->idents[node->nidents - 1], call, out);
}

static int not_a_function(struct cw_go_template_run *run, const struct cw_gt_node *first,
                          struct call call)
{
    if (call.nargs == 0 && call.final == NULL)
        return 0;
    return fail_at_node(run, "can't give argument to non-function ", first, "");
}

/* What may have arguments behind it: fields, variables, chains, functions; also as an argument, then without. */
static int eval_operand(struct cw_go_template_run *run, struct cw_go_value dot,
                        const struct cw_gt_node *node, struct call call, struct cw_go_value *out)
{
    struct cw_go_value receiver;
    const struct cw_gt_var *var;
    run->node = node;
    switch (node->kind) {
    case CW_GT_N_FIELD: return eval_fields(run, dot, dot, node, 0, call, out);
    case CW_GT_N_VARIABLE:
        var = find_var(run, node->idents[0]);
        if (var == NULL)
            return -1;
        receiver = var->value;
        if (node->nidents > 1)
            return eval_fields(run, dot, receiver, node, 1, call, out);
        *out = receiver;
        return not_a_function(run, node, call);
    case CW_GT_N_CHAIN:
        if (node->args[0]->kind == CW_GT_N_PIPE) {
            if (eval_pipeline(run, dot, node->args[0], &receiver) < 0)
                return -1;
        } else if (eval_operand(run, dot, node->args[0], (struct call){.node = node->args[0]},
                                &receiver) < 0) {
            return -1;
        }
        return eval_fields(run, dot, receiver, node, 0, call, out);
    case CW_GT_N_IDENTIFIER: return eval_function(run, dot, node, call, out);
    case CW_GT_N_DOT: *out = dot; return not_a_function(run, node, call);
    case CW_GT_N_BOOL: *out = cw_go_bool(node->truth); return not_a_function(run, node, call);
    case CW_GT_N_NUMBER:
        if (not_a_function(run, node, call) < 0)
            return -1;
        return eval_number(run, node, out);
    case CW_GT_N_STRING: *out = cw_go_string(node->text); return not_a_function(run, node, call);
    case CW_GT_N_PIPE:
        if (not_a_function(run, node, call) < 0)
            return -1;
        return eval_pipeline(run, dot, node, out);
    default: /* NIL: no others are operands */
        if (not_a_function(run, node, call) < 0)
            return -1;
        return fail_at(run, "nil is not a command");
    }
}

static int eval_literal_arg(struct cw_go_template_run *run, enum cw_gt_type type,
                            const struct cw_gt_node *node, struct cw_go_value *out)
{
    run->node = node;
    if (type == CW_GT_T_STRING) {
        if (node->kind != CW_GT_N_STRING)
            return fail_at_node(run, "expected string; found ", node, "");
        *out = cw_go_string(node->text);
    } else if (type == CW_GT_T_INT || type == CW_GT_T_DURATION) {
        if (node->kind != CW_GT_N_NUMBER || !node->number.is_int)
            return fail_at_node(run, "expected integer; found ", node, "");
        *out = cw_go_int(node->number.i);
        out->kind = type == CW_GT_T_INT ? CW_GO_INT : CW_GO_DURATION;
    } else if (type == CW_GT_T_FLOAT) {
        if (node->kind != CW_GT_N_NUMBER || !node->number.is_float)
            return fail_at_node(run, "expected float; found ", node, "");
        *out = cw_go_float(node->number.f);
    } else if (type == CW_GT_T_TIME) {
        return fail_at_node(run, "can't handle ", node, " for arg of type time.Time");
    } else if (type == CW_GT_T_LOCATION) {
        return fail_at_node(run, "can't handle ", node, " for arg of type *time.Location");
    } else {
        return eval_operand(run, cw_go_bool(false), node, (struct call){.node = node}, out);
    }
    return 0;
}

static int eval_arg(struct cw_go_template_run *run, struct cw_go_value dot, enum cw_gt_type type,
                    const struct cw_gt_node *node, struct cw_go_value *out)
{
    run->node = node;
    if (node->kind == CW_GT_N_NIL) {
        if (type != CW_GT_T_ANY && type != CW_GT_T_REFLECT && type != CW_GT_T_LOCATION)
            return fail_at(run, "cannot assign nil to %s", type_name(type));
        *out = (struct cw_go_value){.kind = type == CW_GT_T_REFLECT ? CW_GO_INVALID : CW_GO_NIL};
        return 0;
    }
    if (node->kind == CW_GT_N_BOOL || node->kind == CW_GT_N_NUMBER || node->kind == CW_GT_N_STRING)
        return eval_literal_arg(run, type, node, out);
    if (eval_operand(run, dot, node, (struct call){.node = node}, out) < 0)
        return -1;
    return check_type(run, type, out);
}

static enum cw_gt_type param_type(const struct cw_gt_func *func, size_t i)
{
    size_t last = func->nparams + (func->variadic ? 1u : 0u);
    return (enum cw_gt_type)func->types[i < last ? i : last - 1];
}

/* and, or: the first argument that decides. */
static int eval_logic(struct cw_go_template_run *run, struct cw_go_value dot, struct call call,
                      bool until, struct cw_go_value *out)
{
    for (size_t i = 0; i < call.nargs; i++) {
        if (eval_arg(run, dot, CW_GT_T_REFLECT, call.args[i], out) < 0)
            return -1;
        if (cw_go_truth(*out) == until)
            return 0;
    }
    if (call.final != NULL)
        *out = *call.final;
    return 0;
}

static int eval_function(struct cw_go_template_run *run, struct cw_go_value dot,
                         const struct cw_gt_node *ident, struct call call, struct cw_go_value *out)
{
    const struct cw_gt_func *func = ident->func;
    size_t nargs = call.nargs + (call.final != NULL);
    run->node = ident;
    if (func->variadic && nargs < func->nparams)
        return fail_at(run, "wrong number of args for %s: want at least %d got %zu", func->name,
                       func->nparams, call.nargs);
    if (!func->variadic && nargs != func->nparams)
        return fail_at(run, "wrong number of args for %s: want %d got %zu", func->name,
                       func->nparams, nargs);
    if (func->fn == cw_gt_fn_and || func->fn == cw_gt_fn_or)
        return eval_logic(run, dot, call, func->fn == cw_gt_fn_or, out);
    struct cw_go_value few[CW_GT_MAX_PARAMS], *args = few;
    if (nargs > CW_GT_MAX_PARAMS)
        args = CW_ARENA_ARRAY(run->arena, struct cw_go_value, nargs);
    for (size_t i = 0; i < call.nargs; i++)
        if (eval_arg(run, dot, param_type(func, i), call.args[i], &args[i]) < 0)
            return -1;
    if (call.final != NULL) {
        args[call.nargs] = *call.final;
        if (check_type(run, param_type(func, call.nargs), &args[call.nargs]) < 0)
            return -1;
    }
    if (func->fn == cw_gt_fn_call)
        run->callee = callee_of(run, call);
    return call_function(run, func, ident->text, call.node, args, nargs, out);
}

static int eval_pipeline(struct cw_go_template_run *run, struct cw_go_value dot,
                         const struct cw_gt_node *pipe, struct cw_go_value *out)
{
    struct cw_go_value value = {.kind = CW_GO_INVALID};
    run->node = pipe;
    if (enter(run) < 0)
        return -1;
    for (size_t i = 0; i < pipe->nargs; i++) {
        const struct cw_gt_node *command = pipe->args[i];
        struct cw_go_value before = value;
        struct call call = {.node = command,
                            .args = (const struct cw_gt_node *const *)command->args + 1,
                            .nargs = command->nargs - 1,
                            .final = i > 0 ? &before : NULL};
        if (eval_operand(run, dot, command->args[0], call, &value) < 0)
            return -1;
        value = cw_gt_unbox(value);
    }
    for (size_t i = 0; i < pipe->ndecls; i++) {
        if (!pipe->is_assign)
            push_var(run, pipe->decls[i]->idents[0], value);
        else if (set_var(run, pipe->decls[i], value) < 0)
            return -1;
    }
    run->depth--;
    *out = value;
    return 0;
}

/* ---- the walk ---- */

enum { WALK_ON = 0, WALK_BREAK = 1, WALK_CONTINUE = 2 }; /* negative: an error */

static int walk_list(struct cw_go_template_run *run, struct cw_go_value dot,
                     const struct cw_gt_node *list);

static int write_checked(struct cw_go_template_run *run)
{
    if (!cw_buf_failed(run->out) && run->out->len <= run->out_max)
        return 0;
    cw_gt_fail_limit(run, "the template writes more than it may");
    return located(run);
}

static int walk_if_or_with(struct cw_go_template_run *run, struct cw_go_value dot,
                           const struct cw_gt_node *node)
{
    struct cw_go_value value;
    size_t nvars = run->nvars;
    int rc = eval_pipeline(run, dot, node->pipe, &value);
    if (rc == 0 && cw_go_truth(value))
        rc = walk_list(run, node->kind == CW_GT_N_WITH ? value : dot, node->list);
    else if (rc == 0 && node->else_list != NULL)
        rc = walk_list(run, dot, node->else_list);
    run->nvars = nvars;
    return rc;
}

/* One turn of a loop with its variables. */
static int walk_turn(struct cw_go_template_run *run, const struct cw_gt_node *node, size_t mark,
                     struct cw_go_value index, struct cw_go_value element)
{
    const struct cw_gt_node *pipe = node->pipe;
    if (step(run) < 0)
        return -1;
    if (pipe->ndecls > 0 && pipe->is_assign) {
        if (set_var(run, pipe->decls[0], pipe->ndecls > 1 ? index : element) < 0 ||
            (pipe->ndecls > 1 && set_var(run, pipe->decls[1], element) < 0))
            return -1;
    } else if (pipe->ndecls > 0) {
        run->vars[mark - 1].value = element;
        if (pipe->ndecls > 1)
            run->vars[mark - 2].value = index;
    }
    int rc = walk_list(run, element, node->list);
    run->nvars = mark;
    return rc == WALK_CONTINUE ? WALK_ON : rc;
}

static struct cw_go_value element_at(struct cw_go_value value, size_t i, struct cw_go_value *index)
{
    if (value.kind == CW_GO_LIST) {
        *index = cw_go_int((int64_t)i);
        return value.list->items[i];
    }
    if (value.kind == CW_GO_MAP || value.kind == CW_GO_FIELDS) {
        *index = cw_go_string(value.map->items[i].key);
        return value.map->items[i].value;
    }
    *index = (struct cw_go_value){.kind = CW_GO_INVALID};
    return (struct cw_go_value){.kind = value.kind, .number = (int64_t)i};
}

/* How often the loop turns. */
static int range_count(struct cw_go_template_run *run, struct cw_go_value value, size_t ndecls,
                       size_t *n)
{
    *n = 0;
    switch (value.kind) {
    case CW_GO_INVALID: return 0;
    case CW_GO_LIST: *n = value.list->n; return 0;
    case CW_GO_MAP:
    case CW_GO_FIELDS: *n = value.map->n; return 0;
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_DURATION:
        if (ndecls > 1) {
            cw_buf_clear(&run->tmp);
            cw_go_print_value(value, &run->tmp);
            return fail_at(run, "can't use %s to iterate over more than one variable",
                           cw_buf_z(&run->tmp));
        }
        *n = value.number > 0 ? (size_t)value.number : 0;
        return 0;
    default: break;
    }
    cw_buf_clear(&run->tmp);
    cw_go_print_value(value, &run->tmp);
    return fail_at(run, "range can't iterate over %s", cw_buf_z(&run->tmp));
}

static int walk_range(struct cw_go_template_run *run, struct cw_go_value dot,
                      const struct cw_gt_node *node)
{
    struct cw_go_value value, index;
    size_t nvars = run->nvars, n = 0;
    int rc = eval_pipeline(run, dot, node->pipe, &value);
    if (rc == 0)
        rc = range_count(run, value, node->pipe->ndecls, &n);
    if (rc < 0)
        return rc;
    size_t mark = run->nvars;
    for (size_t i = 0; i < n && rc == WALK_ON; i++) {
        struct cw_go_value element = element_at(value, i, &index);
        rc = walk_turn(run, node, mark, index, element);
    }
    if (rc == WALK_BREAK)
        rc = WALK_ON;
    else if (rc == WALK_ON && n == 0 && node->else_list != NULL)
        rc = walk_list(run, dot, node->else_list);
    run->nvars = nvars;
    return rc;
}

static int walk_template(struct cw_go_template_run *run, struct cw_go_value dot,
                         const struct cw_gt_node *node)
{
    const struct cw_gt_tree *tree = run->tmpl->trees, *caller = run->tree;
    struct cw_go_value value = {.kind = CW_GO_INVALID};
    while (tree != NULL && !cw_str_eq(tree->name, node->text))
        tree = tree->next;
    if (tree == NULL) {
        struct cw_buf quoted;
        cw_buf_init(&quoted, CW_ERR_TEXT_BYTES);
        cw_quote_go(node->text, &quoted);
        fail_at(run, "template %s not defined", cw_buf_z(&quoted));
        cw_buf_fini(&quoted);
        return -1;
    }
    if (node->pipe != NULL && eval_pipeline(run, dot, node->pipe, &value) < 0)
        return -1;
    /* It sees no variables of its caller. */
    size_t nvars = run->nvars, base = run->base;
    run->base = nvars;
    push_var(run, CW_STR("$"), value);
    run->tree = tree;
    int rc = walk_list(run, value, tree->root);
    run->tree = caller;
    run->nvars = nvars;
    run->base = base;
    return rc;
}

static int walk_action(struct cw_go_template_run *run, struct cw_go_value dot,
                       const struct cw_gt_node *node)
{
    struct cw_go_value value;
    if (eval_pipeline(run, dot, node->pipe, &value) < 0)
        return -1;
    if (node->pipe->ndecls > 0)
        return 0;
    run->node = node;
    if (value.kind == CW_GO_INVALID)
        cw_buf_addz(run->out, "<no value>");
    else
        cw_go_print_value(value, run->out);
    return write_checked(run);
}

static int walk(struct cw_go_template_run *run, struct cw_go_value dot,
                const struct cw_gt_node *node)
{
    run->node = node;
    switch (node->kind) {
    case CW_GT_N_TEXT: cw_buf_adds(run->out, node->text); return write_checked(run);
    case CW_GT_N_ACTION: return walk_action(run, dot, node);
    case CW_GT_N_BREAK: return WALK_BREAK;
    case CW_GT_N_CONTINUE: return WALK_CONTINUE;
    case CW_GT_N_IF:
    case CW_GT_N_WITH: return walk_if_or_with(run, dot, node);
    case CW_GT_N_RANGE: return walk_range(run, dot, node);
    default: /* TEMPLATE: no others stand in lists */ return walk_template(run, dot, node);
    }
}

static int walk_list(struct cw_go_template_run *run, struct cw_go_value dot,
                     const struct cw_gt_node *list)
{
    run->node = list;
    int rc = enter(run);
    for (size_t i = 0; rc == WALK_ON && i < list->nargs; i++)
        rc = walk(run, dot, list->args[i]);
    run->depth--;
    return rc;
}

/* All fields as a map, in the run's arena. */
static void read_fields(struct cw_go_template_run *run)
{
    const struct cw_label *items = NULL;
    size_t n = run->input->list(run->input->user, &items);
    struct cw_go_pair *pairs = CW_ARENA_ARRAY(run->arena, struct cw_go_pair, n);
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct cw_go_pair){items[i].name, cw_go_string(items[i].value)};
    run->fields = (struct cw_go_map){pairs, n};
}

int cw_go_template_execute(const struct cw_go_template *tmpl, struct cw_go_template_run *run,
                           const struct cw_go_template_input *input, struct cw_buf *out,
                           struct cw_err *err)
{
    size_t before = out->len;
    const struct cw_gt_tree tree = {.name = tmpl->name, .root = tmpl->root};
    cw_arena_reset(run->arena);
    run->tmpl = tmpl;
    run->tree = &tree;
    run->input = input;
    run->out = out;
    run->out_max = out->len + CW_LIMIT_TEMPLATE_OUTPUT_BYTES;
    run->steps = run->depth = 0;
    run->nvars = run->base = 0;
    run->fields = (struct cw_go_map){NULL, 0};
    if (tmpl->needs_all)
        read_fields(run);
    struct cw_go_value dot = {.kind = CW_GO_FIELDS, .map = &run->fields};
    push_var(run, CW_STR("$"), dot);
    int rc = walk_list(run, dot, tmpl->root);
    run->tmpl = NULL;
    run->tree = NULL;
    run->input = NULL;
    run->out = NULL;
    if (rc == 0)
        return 0;
    out->len = before;
    out->failed = false;
    return cw_err_set(err, run->err.code, "%s", run->err.text);
}
