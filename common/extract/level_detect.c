#include "common/extract/level_detect.h"

#include "common/base/assert.h"
#include "common/extract/extract_logfmt.h"
#include "common/extract/json_scan.h"

#define NAMED(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

const struct cw_str cw_level_names[CW_LEVEL_N] = {
    [CW_LEVEL_UNKNOWN] = NAMED("unknown"),   [CW_LEVEL_TRACE] = NAMED("trace"),
    [CW_LEVEL_DEBUG] = NAMED("debug"),       [CW_LEVEL_INFO] = NAMED("info"),
    [CW_LEVEL_WARN] = NAMED("warn"),         [CW_LEVEL_ERROR] = NAMED("error"),
    [CW_LEVEL_CRITICAL] = NAMED("critical"), [CW_LEVEL_FATAL] = NAMED("fatal"),
};

struct level_word {
    struct cw_str text;
    enum cw_level level;
};

/* By first letters, for words_of(). */
static const struct level_word level_words[] = {
    {NAMED("critical"), CW_LEVEL_CRITICAL}, {NAMED("debug"), CW_LEVEL_DEBUG},
    {NAMED("error"), CW_LEVEL_ERROR},       {NAMED("err"), CW_LEVEL_ERROR},
    {NAMED("fatal"), CW_LEVEL_FATAL},       {NAMED("info"), CW_LEVEL_INFO},
    {NAMED("trace"), CW_LEVEL_TRACE},       {NAMED("warning"), CW_LEVEL_WARN},
    {NAMED("warn"), CW_LEVEL_WARN},
};
/* What a field may hold beside them. */
static const struct level_word level_spellings[] = {
    {NAMED("dbg"), CW_LEVEL_DEBUG}, {NAMED("inf"), CW_LEVEL_INFO},
    {NAMED("trc"), CW_LEVEL_TRACE}, {NAMED("information"), CW_LEVEL_INFO},
    {NAMED("wrn"), CW_LEVEL_WARN},
};

#define BEFORE_WORD CW_STR(" \t\n[({\"=")
#define AFTER_WORD CW_STR(" \t\n[](){}:,!\"=")

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word(struct cw_str text, struct cw_str word)
{
    return text.len == word.len && cw_str_eq_nocase(text, word);
}

/* The words that begin with that letter: level_words[*first, returned). Called where any byte may stand. */
static size_t words_of(char letter, size_t *first)
{
    switch (letter | 0x20) {
    case 'c': *first = 0; return 1;
    case 'd': *first = 1; return 2;
    case 'e': *first = 2; return 4;
    case 'f': *first = 4; return 5;
    case 'i': *first = 5; return 6;
    case 't': *first = 6; return 7;
    case 'w': *first = 7; return 9;
    default: *first = 0; return 0;
    }
}

bool cw_level_of_word(struct cw_str word, enum cw_level *out)
{
    size_t i, end = word.len > 0 ? words_of(word.ptr[0], &i) : (i = 0);
    for (; i < end; i++) {
        if (is_word(word, level_words[i].text)) {
            *out = level_words[i].level;
            return true;
        }
    }
    for (i = 0; i < CW_COUNT(level_spellings); i++) {
        if (is_word(word, level_spellings[i].text)) {
            *out = level_spellings[i].level;
            return true;
        }
    }
    return false;
}

enum cw_level cw_level_of_severity(struct cw_str number)
{
    static const struct {
        int64_t last;
        enum cw_level level;
    } ranges[] = {{-1, CW_LEVEL_TRACE}, {0, CW_LEVEL_UNKNOWN}, {4, CW_LEVEL_TRACE},
                  {8, CW_LEVEL_DEBUG},  {12, CW_LEVEL_INFO},   {16, CW_LEVEL_WARN},
                  {20, CW_LEVEL_ERROR}, {24, CW_LEVEL_FATAL}};
    int64_t value;
    if (!cw_str_to_i64(number, &value))
        return CW_LEVEL_INFO;
    for (size_t i = 0; i < CW_COUNT(ranges); i++)
        if (value <= ranges[i].last)
            return ranges[i].level;
    return CW_LEVEL_UNKNOWN;
}

/* ---- what to look for ---- */

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static void add_byte(struct cw_triple_scan *scan, unsigned place, unsigned group, char byte)
{
    cw_triple_scan_add(scan, place, group, cw_str_make(&byte, 1));
}

static void add_byte_nocase(struct cw_triple_scan *scan, unsigned place, unsigned group, char byte)
{
    add_byte(scan, place, group, lower(byte));
    add_byte(scan, place, group, upper(byte));
}

static void init_words(struct cw_triple_scan *scan)
{
    cw_triple_scan_init(scan);
    for (size_t i = 0; i < CW_COUNT(level_words); i++) {
        unsigned group = (unsigned)i % CW_TRIPLE_GROUPS;
        cw_triple_scan_add(scan, 0, group, BEFORE_WORD);
        add_byte_nocase(scan, 1, group, level_words[i].text.ptr[0]);
        add_byte_nocase(scan, 2, group, level_words[i].text.ptr[1]);
    }
}

/* The last two bytes of each field and what ends a key. */
static void init_keys(struct cw_level_detector *d)
{
    char spaces[' ' + 1];
    for (size_t i = 0; i < sizeof(spaces); i++)
        spaces[i] = (char)i;
    cw_triple_scan_init(&d->json_keys);
    cw_triple_scan_init(&d->logfmt_keys);
    for (size_t i = 0; i < d->nfields; i++) {
        unsigned group = (unsigned)i % CW_TRIPLE_GROUPS;
        struct cw_str field = d->fields[i];
        if (field.len > 0) {
            unsigned char last = (unsigned char)field.ptr[field.len - 1];
            d->last_bytes[last] |= 1;
            d->last_bytes[(unsigned char)lower((char)last)] |= 2;
            d->last_bytes[(unsigned char)upper((char)last)] |= 2;
        }
        if (field.len < 2) {
            d->any_key = true;
            continue;
        }
        for (unsigned place = 0; place < 2; place++) {
            char byte = field.ptr[field.len - 2 + place];
            add_byte(&d->json_keys, place, group, byte);
            add_byte_nocase(&d->logfmt_keys, place, group, byte);
        }
        add_byte(&d->json_keys, 2, group, '"');
        add_byte(&d->logfmt_keys, 2, group, '=');
        cw_triple_scan_add(&d->logfmt_keys, 2, group, cw_str_make(spaces, sizeof(spaces)));
    }
}

void cw_level_detector_init(struct cw_level_detector *d, const struct cw_str *fields,
                            size_t nfields, unsigned json_depth)
{
    *d = (struct cw_level_detector){.fields = fields, .nfields = nfields, .json_depth = json_depth};
    if (json_depth == 0 || json_depth > CW_JSON_SCAN_DEPTH)
        d->json_depth = CW_JSON_SCAN_DEPTH;
    init_words(&d->words);
    init_keys(d);
}

/* ---- JSON ---- */

static bool looks_like_json(struct cw_str line)
{
    struct cw_str text = cw_str_trim(line);
    return text.len > 0 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}';
}

/* May some key be a field? A key with escapes may be any. */
static bool may_have_json_key(const struct cw_level_detector *d, struct cw_str line)
{
    struct cw_triple_walk walk = cw_triple_walk_make(&d->json_keys, line);
    size_t at;
    if (d->any_key)
        return true;
    while (cw_triple_walk_next(&walk, &at)) {
        struct cw_str before = cw_str_sub(line, 0, at + 2);
        if ((d->last_bytes[(unsigned char)line.ptr[at + 1]] & 1) == 0)
            continue;
        for (size_t i = 0; i < d->nfields; i++)
            if (cw_str_ends(before, d->fields[i]))
                return true;
    }
    return cw_str_find_byte(line, '\\') >= 0;
}

enum search { SEARCH_ON, SEARCH_FOUND, SEARCH_BROKEN };

static enum search search_object(const struct cw_level_detector *d, struct cw_str object,
                                 unsigned depth, struct cw_arena *arena, struct cw_str *out)
{
    struct cw_json_members members;
    struct cw_json_value value;
    struct cw_str key;
    const char *why = NULL;
    cw_json_members_init(&members, object, arena);
    while (cw_json_members_next(&members, &key, &value, &why)) {
        if (value.type == CW_JSON_TYPE_STRING && cw_str_among(key, d->fields, d->nfields)) {
            *out = value.text;
            return SEARCH_FOUND;
        }
        if (value.type != CW_JSON_TYPE_OBJECT || depth + 1 >= d->json_depth)
            continue;
        enum search state = search_object(d, value.text, depth + 1, arena, out);
        if (state != SEARCH_ON)
            return state;
    }
    return why != NULL ? SEARCH_BROKEN : SEARCH_ON;
}

static struct cw_str json_value(const struct cw_level_detector *d, struct cw_str line,
                                struct cw_arena *arena)
{
    struct cw_str value = CW_STR_NONE;
    if (may_have_json_key(d, line))
        (void)search_object(d, line, 0, arena, &value);
    return value;
}

/* ---- logfmt ---- */

static bool ends_in_field(const struct cw_level_detector *d, struct cw_str before)
{
    if (before.len == 0 || (d->last_bytes[(unsigned char)before.ptr[before.len - 1]] & 2) == 0)
        return false;
    for (size_t i = 0; i < d->nfields; i++) {
        size_t len = d->fields[i].len;
        if (len <= before.len &&
            (len == before.len || (unsigned char)before.ptr[before.len - len - 1] <= ' ') &&
            cw_str_eq_nocase(cw_str_sub(before, before.len - len, before.len), d->fields[i]))
            return true;
    }
    return false;
}

struct logfmt_search {
    const struct cw_level_detector *detector;
    struct cw_logfmt_pairs pairs;
    struct cw_str value;
    size_t best; /* index of its field; detector->nfields: none yet */
};

/* Go through the pairs up to the one whose key ends at `end`. False: nothing better follows. */
static bool search_pairs(struct logfmt_search *search, size_t end)
{
    struct cw_logfmt_pairs *pairs = &search->pairs;
    while (pairs->at < end) {
        if (!cw_logfmt_next(pairs))
            return false;
        for (size_t i = 0; i < search->best; i++) {
            if (is_word(pairs->key, search->detector->fields[i])) {
                search->value = pairs->value;
                search->best = i;
            }
        }
        if (search->best == 0)
            return false;
    }
    return true;
}

/* Only pairs ahead of a key that is a field are looked at: most lines have none, or an early one. */
static struct cw_str logfmt_value(const struct cw_level_detector *d, struct cw_str line,
                                  struct cw_arena *arena)
{
    struct logfmt_search search = {.detector = d,
                                   .pairs = {.line = line, .arena = arena},
                                   .value = CW_STR_NONE,
                                   .best = d->nfields};
    struct cw_triple_walk walk = cw_triple_walk_make(&d->logfmt_keys, line);
    size_t at;
    while (!d->any_key && cw_triple_walk_next(&walk, &at)) {
        if (ends_in_field(d, cw_str_sub(line, 0, at + 2)) && !search_pairs(&search, at + 2))
            return search.value;
    }
    if (d->any_key || ends_in_field(d, line))
        search_pairs(&search, line.len);
    return search.value;
}

/* ---- words ---- */

static bool word_at(struct cw_str line, size_t at, enum cw_level *out)
{
    size_t i, end_i = words_of(line.ptr[at], &i);
    for (; i < end_i; i++) {
        struct cw_str word = level_words[i].text;
        size_t end = at + word.len;
        if (end > line.len || !cw_str_eq_nocase(cw_str_sub(line, at, end), word))
            continue;
        if (end == line.len || cw_str_find_byte(AFTER_WORD, line.ptr[end]) >= 0) {
            *out = level_words[i].level;
            return true;
        }
    }
    return false;
}

static enum cw_level first_word(const struct cw_level_detector *d, struct cw_str line)
{
    struct cw_triple_walk walk = cw_triple_walk_make(&d->words, line);
    enum cw_level level;
    size_t at;
    if (line.len > 0 && word_at(line, 0, &level))
        return level;
    while (cw_triple_walk_next(&walk, &at)) {
        if (cw_str_find_byte(BEFORE_WORD, line.ptr[at]) >= 0 && word_at(line, at + 1, &level))
            return level;
    }
    return CW_LEVEL_UNKNOWN;
}

enum cw_level cw_level_detect(const struct cw_level_detector *d, struct cw_str line,
                              struct cw_arena *arena)
{
    struct cw_str value = CW_STR_NONE;
    enum cw_level level;
    if (looks_like_json(line))
        value = json_value(d, line, arena);
    else if (cw_str_find_byte(line, '=') >= 0)
        value = logfmt_value(d, line, arena);
    return cw_level_of_word(value, &level) ? level : first_word(d, line);
}
