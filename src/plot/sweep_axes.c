/* sweep_axes.c: which settings of a sweep vary together. A picture against one setting of a "list"
 * would compare points that differ in others, too, so settings that belong together are one axis.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sweep_points.h"

/* Values that are no numbers stand below an axis if they are as few and as short as this. */
#define MAX_WORDS 6u
#define MAX_WORD 14u
#define MAX_ALL_WORDS 26u

/* Of each setting: the first that it varies with; itself, as a rule. */
struct groups {
    const struct sweep_points *points;
    size_t *first;
    uint32_t *room; /* a value of each value of a setting */
};

static bool varies(const struct sweep_setting *setting)
{
    return setting->values.n > 1;
}

static void join(struct groups *g, size_t i, size_t k)
{
    size_t a = g->first[i], b = g->first[k], least = a < b ? a : b;
    for (size_t n = 0; n < g->points->n_settings; n++)
        if (g->first[n] == a || g->first[n] == b)
            g->first[n] = least;
}

/* Does the value of one setting say that of another, at every point? */
static bool determines(const struct groups *g, const struct sweep_setting *one,
                       const struct sweep_setting *other)
{
    memset(g->room, 0xff, one->values.n * sizeof *g->room);
    for (size_t i = 0; i < g->points->n_points; i++) {
        uint32_t *value = &g->room[one->of[i]];
        if (*value == UINT32_MAX)
            *value = other->of[i];
        if (*value != other->of[i])
            return false;
    }
    return true;
}

static void join_what_follows(struct groups *g)
{
    const struct sweep_points *p = g->points;
    for (size_t i = 0; i < p->n_settings; i++)
        for (size_t k = 0; k < p->n_settings; k++)
            if (i != k && varies(&p->settings[i]) && varies(&p->settings[k]) &&
                g->first[i] != g->first[k] && determines(g, &p->settings[i], &p->settings[k]))
                join(g, i, k);
}

/* The number of the axis of a setting in manifest.json, whose names have '-' for '_'; NULL: it does
 * not say. */
static const cJSON *axis_number(const cJSON *swept, const char *name)
{
    for (const cJSON *item = swept != NULL ? swept->child : NULL; item != NULL; item = item->next) {
        const char *c = item->string, *d = name;
        while (*c != '\0' && (*c == *d || (*c == '-' && *d == '_')))
            c++, d++;
        if (*c == '\0' && *d == '\0')
            return cJSON_GetObjectItemCaseSensitive(item, "axis");
    }
    return NULL;
}

static void join_what_is_listed(struct groups *g, const cJSON *manifest)
{
    const struct sweep_points *p = g->points;
    const cJSON *swept = cJSON_GetObjectItemCaseSensitive(manifest, "swept");
    for (size_t i = 0; i < p->n_settings; i++)
        for (size_t k = i + 1; k < p->n_settings; k++)
            if (varies(&p->settings[i]) && varies(&p->settings[k]) &&
                cJSON_Compare(axis_number(swept, p->settings[i].name),
                              axis_number(swept, p->settings[k].name), true))
                join(g, i, k);
}

/* "max_num_seqs 64, policy mixed": the values that a point gives, of the settings of a group. */
static void describe(const struct groups *g, size_t group, size_t point, char *text, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < g->points->n_settings && used < room; i++) {
        const struct sweep_setting *setting = &g->points->settings[i];
        const char *value = setting->values.items[setting->of[point]];
        if (g->first[i] == group && varies(setting) && *value != '\0')
            used += (size_t)snprintf(text + used, room - used, "%s%s %s", used > 0 ? ", " : "",
                                     setting->name, value);
    }
    if (used == 0)
        (void)snprintf(text, room, "defaults");
}

/* Have two points the same values of a group's settings? */
static bool is_same(const struct groups *g, size_t group, size_t i, size_t k)
{
    for (size_t n = 0; n < g->points->n_settings; n++)
        if (g->first[n] == group && g->points->settings[n].of[i] != g->points->settings[n].of[k])
            return false;
    return true;
}

/* Number the combinations of a group's values; `firsts` becomes the first point of each. In a grid
 * the next point has the combination of this one, or the next, as a rule. */
static size_t number_combinations(const struct groups *g, size_t group, struct sweep_axis *axis,
                                  size_t *firsts)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < g->points->n_points; i++) {
        size_t tried = 0;
        while (tried < n && !is_same(g, group, i, firsts[at])) {
            at = at + 1 < n ? at + 1 : 0;
            tried++;
        }
        if (tried == n) {
            firsts[n] = i;
            at = n++;
        }
        axis->of[i] = (uint32_t)at;
    }
    return n;
}

/* The setting whose values alone tell the combinations of its group apart; NULL: none. */
static const struct sweep_setting *find_main(const struct groups *g, size_t group, size_t n)
{
    for (size_t i = 0; i < g->points->n_settings; i++) {
        const struct sweep_setting *setting = &g->points->settings[i];
        bool is_complete = g->first[i] == group && setting->values.n == n;
        for (size_t k = 0; k < n && is_complete; k++)
            is_complete = setting->values.items[k][0] != '\0';
        if (is_complete)
            return setting;
    }
    return NULL;
}

static void set_letters(struct sweep_axis *axis)
{
    size_t total = 0;
    bool is_numeric = true;
    axis->has_letters = axis->values.n > MAX_WORDS;
    for (size_t i = 0; i < axis->values.n; i++) {
        char *end;
        size_t length = strlen(axis->values.items[i]);
        (void)strtod(axis->values.items[i], &end);
        is_numeric = is_numeric && length > 0 && *end == '\0';
        total += length;
        axis->has_letters = axis->has_letters || length > MAX_WORD;
    }
    axis->has_letters = !is_numeric && (axis->has_letters || total > MAX_ALL_WORDS);
}

static enum llmsim_status name_axis(const struct groups *g, size_t group, size_t n_unnamed,
                                    const struct sweep_setting *main, struct sweep_axis *axis,
                                    struct llmsim_error *err)
{
    char name[64] = "configuration", title[512];
    if (n_unnamed > 0)
        (void)snprintf(name, sizeof name, "configuration_%zu", n_unnamed + 1);
    axis->name = strdup(main != NULL ? main->name : name);
    if (axis->name == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    size_t used = (size_t)snprintf(title, sizeof title, "%.100s", axis->name), n = 0;
    for (size_t i = 0; main != NULL && i < g->points->n_settings && used < sizeof title; i++)
        if (g->first[i] == group && &g->points->settings[i] != main &&
            varies(&g->points->settings[i]))
            used += (size_t)snprintf(title + used, sizeof title - used, "%s%.100s",
                                     n++ > 0 ? " and " : " with ", g->points->settings[i].name);
    axis->title = strdup(title);
    return axis->title != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

static enum llmsim_status add_axis(struct sweep_points *p, const struct groups *g, size_t group,
                                   size_t *n_unnamed, size_t *firsts, struct llmsim_error *err)
{
    char text[1024];
    struct sweep_axis *axis = &p->axes[p->n_axes++];
    axis->of = malloc((p->n_points + 1) * sizeof *axis->of);
    if (axis->of == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    size_t n = number_combinations(g, group, axis, firsts);
    const struct sweep_setting *main = find_main(g, group, n);
    enum llmsim_status status = name_axis(g, group, *n_unnamed, main, axis, err);
    *n_unnamed += main == NULL;
    for (size_t k = 0; k < n && status == LLMSIM_OK; k++) {
        describe(g, group, firsts[k], text, sizeof text);
        status = text_list_add(&axis->values, err, "%s",
                               main != NULL ? main->values.items[main->of[firsts[k]]] : text);
    }
    if (status == LLMSIM_OK)
        set_letters(axis);
    return status;
}

enum llmsim_status sweep_axes_find(struct sweep_points *p, const cJSON *manifest,
                                   struct llmsim_error *err)
{
    size_t n_most = 1, n_unnamed = 0;
    for (size_t i = 0; i < p->n_settings; i++)
        n_most = p->settings[i].values.n > n_most ? p->settings[i].values.n : n_most;
    struct groups g = {.points = p,
                       .first = malloc((p->n_settings + 1) * sizeof *g.first),
                       .room = malloc(n_most * sizeof *g.room)};
    size_t *firsts = malloc((p->n_points + 1) * sizeof *firsts);
    enum llmsim_status status = LLMSIM_OK;
    p->axes = calloc(p->n_settings + 1, sizeof *p->axes);
    if (g.first == NULL || g.room == NULL || firsts == NULL || p->axes == NULL) {
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < p->n_settings; i++)
        g.first[i] = i;
    join_what_is_listed(&g, manifest);
    join_what_follows(&g);
    for (size_t i = 0; i < p->n_settings && status == LLMSIM_OK; i++)
        if (g.first[i] == i && varies(&p->settings[i]))
            status = add_axis(p, &g, i, &n_unnamed, firsts, err);
out:
    free(g.first);
    free(g.room);
    free(firsts);
    return status;
}

void sweep_axis_label(const struct sweep_axis *axis, uint32_t value, char label[static 64])
{
    char letters[8], *p = letters + sizeof letters - 1;
    if (!axis->has_letters) {
        gnuplot_text_cut(label, 64, axis->values.items[value], MAX_WORD);
        return;
    }
    *p = '\0';
    for (uint32_t n = value + 1; n > 0; n = (n - 1) / 26)
        *--p = (char)('A' + (n - 1) % 26);
    (void)snprintf(label, 64, "%s", p);
}
