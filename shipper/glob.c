#include "shipper/glob.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/buf.h"

/*
 * An alternative is a row of components. A walk carries the set of components that may come next
 * (bit i: component i is still to be matched; bit n: all are), so that each folder is read once
 * whatever the number of `**`.
 */
enum component_kind { COMPONENT_LITERAL, COMPONENT_WILD, COMPONENT_ANY_DEPTH };

struct component {
    enum component_kind kind;
    struct cw_str text; /* for LITERAL without its backslashes */
};

struct alternative {
    struct component *components;
    unsigned n;
};

struct cw_glob {
    struct cw_arena *arena;
    struct alternative *alternatives;
    size_t n, cap;
};

/* ---- one component against one name ---- */

/* The length of a [class] at the front of `p`, or 0 when it is not closed; says whether `rune` is
 * in it. */
static size_t class_match(struct cw_str p, uint32_t rune, bool *in_out)
{
    size_t at = 1;
    bool negated = at < p.len && (p.ptr[at] == '!' || p.ptr[at] == '^'), in = false;
    at += negated;
    for (bool first = true; at < p.len && (first || p.ptr[at] != ']'); first = false) {
        uint32_t low, high;
        if (p.ptr[at] == '\\' && at + 1 < p.len)
            at++;
        at += cw_utf8_decode(cw_str_sub(p, at, p.len), &low);
        high = low;
        if (at + 1 < p.len && p.ptr[at] == '-' && p.ptr[at + 1] != ']') {
            at++;
            if (p.ptr[at] == '\\' && at + 1 < p.len)
                at++;
            at += cw_utf8_decode(cw_str_sub(p, at, p.len), &high);
        }
        in |= rune >= low && rune <= high;
    }
    if (at >= p.len)
        return 0;
    *in_out = in != negated;
    return at + 1;
}

/* Match one unit of the pattern (not a star) at the front of `s`; on success both are moved past
 * it. */
static bool unit_match(struct cw_str *p, struct cw_str *s)
{
    if (p->len == 0 || s->len == 0)
        return false;
    size_t pattern_len = 1, name_len = 1;
    bool ok;
    if (p->ptr[0] == '?' || p->ptr[0] == '[') {
        uint32_t rune;
        name_len = cw_utf8_decode(*s, &rune);
        ok = true;
        if (p->ptr[0] == '[')
            pattern_len = class_match(*p, rune, &ok);
    } else {
        if (p->ptr[0] == '\\' && p->len > 1)
            pattern_len = 2;
        ok = p->ptr[pattern_len - 1] == s->ptr[0];
    }
    if (!ok)
        return false;
    *p = cw_str_sub(*p, pattern_len, p->len);
    *s = cw_str_sub(*s, name_len, s->len);
    return true;
}

static bool wild_match(struct cw_str p, struct cw_str s)
{
    struct cw_str star_p = CW_STR_NONE, star_s = CW_STR_NONE;
    bool starred = false;
    while (s.len > 0 || p.len > 0) {
        if (p.len > 0 && p.ptr[0] == '*') {
            p = cw_str_sub(p, 1, p.len);
            starred = true, star_p = p, star_s = s;
            continue;
        }
        if (unit_match(&p, &s))
            continue;
        if (!starred || star_s.len == 0)
            return false;
        star_s = cw_str_sub(star_s, 1, star_s.len); /* the last star takes one byte more */
        p = star_p, s = star_s;
    }
    return true;
}

/* ---- sets of components ---- */

/* `**` may also stand for nothing. */
static uint64_t states_close(const struct alternative *alt, uint64_t states)
{
    for (unsigned i = 0; i < alt->n; i++)
        if ((states >> i & 1) && alt->components[i].kind == COMPONENT_ANY_DEPTH)
            states |= UINT64_C(2) << i;
    return states;
}

static uint64_t states_step(const struct alternative *alt, uint64_t states, struct cw_str name,
                            bool through_link)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < alt->n; i++) {
        if (!(states >> i & 1))
            continue;
        const struct component *component = &alt->components[i];
        if (component->kind == COMPONENT_ANY_DEPTH) {
            if (!through_link)
                next |= UINT64_C(1) << i;
        } else if (component->kind == COMPONENT_LITERAL ? cw_str_eq(component->text, name)
                                                        : wild_match(component->text, name)) {
            next |= UINT64_C(2) << i;
        }
    }
    return states_close(alt, next);
}

static bool states_final(const struct alternative *alt, uint64_t states)
{
    return states >> alt->n & 1;
}

/* ---- compiling ---- */

static int component_add(struct cw_glob *glob, struct alternative *alt, struct cw_str text,
                         struct cw_err *err)
{
    if (text.len == 0 || cw_str_eqz(text, "."))
        return 0;
    if (alt->n == CW_GLOB_COMPONENTS_MAX)
        return cw_err_set(err, CW_E_INVALID, "more than %d folders", CW_GLOB_COMPONENTS_MAX);
    struct component component = {.kind = COMPONENT_LITERAL, .text = text};
    char *plain = cw_arena_alloc(glob->arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool ignored;
        size_t class_len =
            text.ptr[i] == '[' ? class_match(cw_str_sub(text, i, text.len), 0, &ignored) : 1;
        if (class_len == 0)
            return cw_err_set(err, CW_E_INVALID, "\"[\" without its \"]\"");
        if (strchr("*?[", text.ptr[i]) != NULL)
            component.kind = COMPONENT_WILD;
        else if (text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
        plain[len++] = text.ptr[i];
        i += class_len - 1; /* over what may look like another one inside */
    }
    if (cw_str_eqz(text, "**"))
        component.kind = COMPONENT_ANY_DEPTH;
    else if (component.kind == COMPONENT_LITERAL)
        component.text = cw_str_make(plain, len);
    if (component.kind == COMPONENT_ANY_DEPTH && alt->n > 0 &&
        alt->components[alt->n - 1].kind == COMPONENT_ANY_DEPTH)
        return 0;
    alt->components[alt->n++] = component;
    return 0;
}

static struct alternative *alternative_new(struct cw_glob *glob)
{
    glob->alternatives = cw_arena_grow(glob->arena, glob->alternatives, glob->n, &glob->cap,
                                       glob->n + 1, sizeof(struct alternative));
    struct alternative *alt = &glob->alternatives[glob->n++];
    alt->n = 0;
    alt->components = CW_ARENA_ARRAY(glob->arena, struct component, CW_GLOB_COMPONENTS_MAX);
    return alt;
}

static int alternative_add(struct cw_glob *glob, struct cw_str pattern, struct cw_err *err)
{
    if (glob->n == CW_GLOB_ALTERNATIVES_MAX)
        return cw_err_set(err, CW_E_INVALID, "more than %d alternatives", CW_GLOB_ALTERNATIVES_MAX);
    struct alternative *alt = alternative_new(glob);
    pattern = cw_arena_dup(glob->arena, pattern);
    struct cw_str component;
    while (cw_str_split(&pattern, '/', &component)) {
        int rc = component_add(glob, alt, component, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Where the brace at `open` closes, or -1. Commas of its own level are counted by the caller. */
static ptrdiff_t brace_close(struct cw_str p, size_t open)
{
    unsigned depth = 0;
    for (size_t i = open; i < p.len; i++) {
        if (p.ptr[i] == '\\')
            i++;
        else if (p.ptr[i] == '{')
            depth++;
        else if (p.ptr[i] == '}' && --depth == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

/* Replace the first {a,b} by each of its choices in turn; what has none is an alternative. Ends
 * because every level takes one pair of braces away. */
static int braces_expand(struct cw_glob *glob, struct cw_str p, struct cw_err *err)
{
    size_t open = 0;
    while (open < p.len && p.ptr[open] != '{')
        open += p.ptr[open] == '\\' ? 2 : 1;
    if (open >= p.len)
        return alternative_add(glob, p, err);
    ptrdiff_t close = brace_close(p, open);
    if (close < 0)
        return cw_err_set(err, CW_E_INVALID, "\"{\" without its \"}\"");
    size_t from = open + 1;
    unsigned depth = 0;
    for (size_t i = from; i <= (size_t)close; i++) {
        if (p.ptr[i] == '\\' && i < (size_t)close) {
            i++;
        } else if (depth == 0 && (p.ptr[i] == ',' || i == (size_t)close)) {
            struct cw_str one =
                cw_arena_printf(glob->arena, "%.*s%.*s%.*s", (int)open, p.ptr, (int)(i - from),
                                p.ptr + from, (int)(p.len - (size_t)close - 1), p.ptr + close + 1);
            int rc = braces_expand(glob, one, err);
            if (rc < 0)
                return rc;
            from = i + 1;
        } else if (p.ptr[i] == '{') {
            depth++;
        } else if (p.ptr[i] == '}') {
            depth--;
        }
    }
    return 0;
}

void cw_glob_escape(struct cw_str path, struct cw_buf *out)
{
    for (size_t i = 0; i < path.len; i++) {
        if (memchr("*?[]{}\\,", path.ptr[i], 8) != NULL)
            cw_buf_addc(out, '\\');
        cw_buf_addc(out, path.ptr[i]);
    }
}

/* It is made absolute; special characters of the working folder are taken as they are. */
int cw_glob_compile(struct cw_str pattern, struct cw_glob **out, struct cw_err *err)
{
    if (pattern.len == 0 || pattern.len > CW_GLOB_PATTERN_BYTES ||
        memchr(pattern.ptr, 0, pattern.len) != NULL)
        return cw_err_set(err, CW_E_INVALID, "a path pattern of 1 to %d bytes is needed",
                          CW_GLOB_PATTERN_BYTES);
    struct cw_buf text;
    cw_buf_init(&text, 4 * (size_t)CW_GLOB_PATTERN_BYTES + 2 * PATH_MAX);
    char cwd[PATH_MAX] = "";
    if (pattern.ptr[0] != '/' && getcwd(cwd, sizeof cwd) == NULL)
        return cw_err_errno(err, CW_E_IO, errno, "the working folder");
    cw_glob_escape(cw_str_of(cwd), &text);
    if (cwd[0] != '\0')
        cw_buf_addc(&text, '/');
    cw_buf_adds(&text, pattern);
    struct cw_glob *glob = cw_mem_new(sizeof *glob);
    glob->arena = cw_arena_new();
    int rc = braces_expand(glob, cw_buf_str(&text), err);
    if (rc < 0) {
        cw_err_wrap(err, "path pattern \"%.*s\"", CW_STR_ARG(pattern));
        cw_glob_free(&glob);
    }
    cw_buf_fini(&text);
    *out = glob;
    return rc;
}

void cw_glob_free(struct cw_glob **glob)
{
    if (*glob == NULL)
        return;
    cw_arena_free(&(*glob)->arena);
    free(*glob);
    *glob = NULL;
}

/* ---- matching and walking ---- */

/* What may come after the components of `path`. */
static uint64_t path_states(const struct alternative *alt, struct cw_str path)
{
    uint64_t states = states_close(alt, 1);
    struct cw_str name;
    while (states != 0 && cw_str_split(&path, '/', &name))
        if (name.len > 0)
            states = states_step(alt, states, name, false);
    return states;
}

bool cw_glob_match(const struct cw_glob *glob, struct cw_str path)
{
    for (size_t i = 0; i < glob->n; i++)
        if (states_final(&glob->alternatives[i], path_states(&glob->alternatives[i], path)))
            return true;
    return false;
}

bool cw_glob_may_match(const struct cw_glob *glob, struct cw_str path)
{
    for (size_t i = 0; i < glob->n; i++)
        if (path_states(&glob->alternatives[i], path) != 0)
            return true;
    return false;
}

struct walk {
    const struct alternative *alt;
    const struct cw_glob_visitor *visitor;
    char path[PATH_MAX]; /* of the entry in hand */
};

static void walk_dir(struct walk *walk, size_t len, uint64_t states);

static void walk_entry(struct walk *walk, size_t dir_len, const char *name, uint64_t states)
{
    struct cw_str name_str = cw_str_of(name);
    uint64_t next = states_step(walk->alt, states, name_str, false);
    if (next == 0 || dir_len + 1 + name_str.len + 1 > sizeof walk->path)
        return;
    walk->path[dir_len] = '/';
    memcpy(walk->path + dir_len + 1, name, name_str.len + 1);
    struct stat st, link;
    if (lstat(walk->path, &link) < 0)
        return; /* gone since the folder was read */
    bool is_link = S_ISLNK(link.st_mode), to_nothing = false;
    if (!is_link)
        st = link;
    else
        to_nothing = stat(walk->path, &st) < 0;
    bool is_file = !to_nothing && S_ISREG(st.st_mode), final = states_final(walk->alt, next);
    if (is_link && (to_nothing || is_file) && final && walk->visitor->on_link != NULL)
        walk->visitor->on_link(walk->visitor->arg, walk->path);
    if (is_file && final)
        walk->visitor->on_file(walk->visitor->arg, walk->path);
    if (to_nothing || !S_ISDIR(st.st_mode))
        return;
    if (is_link)
        next = states_step(walk->alt, states, name_str, true);
    walk_dir(walk, dir_len + 1 + name_str.len, next);
}

static void walk_dir(struct walk *walk, size_t len, uint64_t states)
{
    uint64_t all = states & ~(UINT64_C(1) << walk->alt->n);
    bool literal = true;
    for (unsigned i = 0; i < walk->alt->n; i++)
        if ((all >> i & 1) && walk->alt->components[i].kind != COMPONENT_LITERAL)
            literal = false;
    if (all == 0)
        return;
    walk->path[len] = '\0';
    if (walk->visitor->on_dir != NULL)
        walk->visitor->on_dir(walk->visitor->arg, len == 0 ? "/" : walk->path,
                              all >> (walk->alt->n - 1) & 1);
    if (literal) { /* its names are known: the folder need not be readable */
        for (unsigned i = 0; i < walk->alt->n; i++) {
            if (!(all >> i & 1))
                continue;
            char name[NAME_MAX + 1];
            struct cw_str text = walk->alt->components[i].text;
            if (text.len > NAME_MAX)
                continue;
            memcpy(name, text.ptr, text.len);
            name[text.len] = '\0';
            walk_entry(walk, len, name, states);
            walk->path[len] = '\0';
        }
        return;
    }
    DIR *dir = opendir(len == 0 ? "/" : walk->path);
    if (dir == NULL) {
        if (walk->visitor->on_error != NULL && errno != ENOENT)
            walk->visitor->on_error(walk->visitor->arg, walk->path, errno);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            walk_entry(walk, len, entry->d_name, states);
        walk->path[len] = '\0';
    }
    closedir(dir);
}

void cw_glob_walk(const struct cw_glob *glob, const struct cw_glob_visitor *visitor)
{
    struct walk *walk = cw_mem_new(sizeof *walk);
    walk->visitor = visitor;
    for (size_t i = 0; i < glob->n; i++) {
        walk->alt = &glob->alternatives[i];
        walk_dir(walk, 0, states_close(walk->alt, 1));
    }
    free(walk);
}
