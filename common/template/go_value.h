/*
 * go_value.h - what a template computes with: the few types of Go that Loki's functions take and return.
 *
 * Ownership  Texts, lists and maps live in the run's arena, in the template or in the input; a value is copied freely.
 */
#ifndef CW_TEMPLATE_GO_VALUE_H
#define CW_TEMPLATE_GO_VALUE_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/labels/labels.h"
#include "common/template/go_time.h"

enum cw_go_kind {
    CW_GO_INVALID, /* reflect's zero Value: prints as <no value> */
    CW_GO_NIL,     /* an interface that holds nothing: prints as <nil> */
    CW_GO_BOOL,
    CW_GO_INT,
    CW_GO_INT64,
    CW_GO_UINT8, /* a byte of a text, by index */
    CW_GO_FLOAT,
    CW_GO_COMPLEX,
    CW_GO_STRING,
    CW_GO_TIME,
    CW_GO_MONTH,    /* 1 is January */
    CW_GO_WEEKDAY,  /* 0 is Sunday */
    CW_GO_DURATION, /* nanoseconds */
    CW_GO_LOCATION, /* where a time is: the time stands for it */
    CW_GO_LIST,     /* []interface {} */
    CW_GO_MAP,      /* map[string]interface {} */
    CW_GO_FIELDS,   /* map[string]string: the fields of the line */
};

struct cw_go_list;
struct cw_go_map;

struct cw_go_value {
    enum cw_go_kind kind;
    bool boxed; /* an element of a list or map: its static type is interface {} */
    union {
        bool truth;
        int64_t number; /* INT, INT64, UINT8, MONTH, WEEKDAY, DURATION */
        double real;    /* FLOAT; COMPLEX with imaginary */
        struct cw_str text;
        const struct cw_go_time *time; /* TIME, LOCATION */
        const struct cw_go_list *list;
        const struct cw_go_map *map;
    };
    double imaginary;
};

struct cw_go_list {
    const struct cw_go_value *items;
    size_t n;
    size_t cap; /* items that are there: slicing may go so far, as over a Go slice's capacity */
};
struct cw_go_pair {
    struct cw_str key;
    struct cw_go_value value;
};
struct cw_go_map {
    const struct cw_go_pair *items; /* sorted by key, each once */
    size_t n;
};

static inline struct cw_go_value cw_go_bool(bool truth)
{
    return (struct cw_go_value){.kind = CW_GO_BOOL, .truth = truth};
}
static inline struct cw_go_value cw_go_int(int64_t number)
{
    return (struct cw_go_value){.kind = CW_GO_INT, .number = number};
}
static inline struct cw_go_value cw_go_int64(int64_t number)
{
    return (struct cw_go_value){.kind = CW_GO_INT64, .number = number};
}
static inline struct cw_go_value cw_go_float(double real)
{
    return (struct cw_go_value){.kind = CW_GO_FLOAT, .real = real};
}
static inline struct cw_go_value cw_go_string(struct cw_str text)
{
    return (struct cw_go_value){.kind = CW_GO_STRING, .text = text};
}

/* "map[string]interface {}", "int64", ... as Go names the type; "interface {}" for NIL. */
const char *cw_go_type_name(enum cw_go_kind kind);
/* Go's truth: not the zero of its type. */
bool cw_go_truth(struct cw_go_value value);
struct cw_go_value cw_go_map_get(const struct cw_go_map *map, struct cw_str key, bool *found);

/* fmt's Sprint of one value (%v). */
void cw_go_print_value(struct cw_go_value value, struct cw_buf *out);
/* fmt's Sprint: a space between neighbours of which neither is a text. */
void cw_go_print(const struct cw_go_value *args, size_t n, struct cw_buf *out);
/* fmt's Sprintln. */
void cw_go_println(const struct cw_go_value *args, size_t n, struct cw_buf *out);
/* fmt's Sprintf; what is wrong with the format stands in the text, as "%!d(string=x)". */
void cw_go_printf(struct cw_str format, const struct cw_go_value *args, size_t n,
                  struct cw_buf *out);

/* encoding/json's Unmarshal into an interface {}: numbers are float64, of equal keys the last one counts. False when `text` is
 * no JSON document or is nested too deeply. */
bool cw_go_json_parse(struct cw_str text, struct cw_arena *arena, struct cw_go_value *out);

#endif
