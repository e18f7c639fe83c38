/* journal.h: the finished points of a directory, as they finish.
 *
 * A text file that only grows, a line a point:
 *
 *     POINT STATUS CRC32 ROW
 *
 * STATUS is the exit code of the point, 0 where it went well; the checksum is that of "POINT STATUS
 * ROW". A line is appended by one write, so a process that is killed leaves whole lines, and at the
 * worst one torn line at the end, which is cut off when the sweep goes on. A file of this name is
 * taken for a journal only where the directory has the manifest of the sweep. */
#ifndef LLMSIM_SWEEP_JOURNAL_H
#define LLMSIM_SWEEP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "llmsim/status.h"

struct llmsim_journal {
    int fd;
    bool reads_only;
    char *path;
    uint64_t n_points;
    uint64_t *ends;    /* of each point's line in the file, 0: not finished */
    uint32_t *lengths; /* of its row */
    unsigned char *statuses;
    uint64_t length; /* of the file */
    struct timespec last_sync;
};

/* Open DIR/journal and lock it: to add to it, or, with `reads_only`, to read what another sweep has
 * finished, whose directory may be one that cannot be written. *found: there is one; otherwise
 * there is nothing to close. Nothing is read yet, and nothing changed. LLMSIM_IO, also if another
 * process has it locked, or if it is no regular file, or a link where it is added to;
 * LLMSIM_RUN_FAILED (memory). On failure there is nothing to close. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_journal_open(struct llmsim_journal *journal,
                                                         const char *dir, uint64_t n_points,
                                                         bool reads_only, bool *found,
                                                         struct llmsim_error *err);
/* Make and lock one where there is none. Errors as above. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_journal_make(struct llmsim_journal *journal,
                                                         const char *dir, uint64_t n_points,
                                                         struct llmsim_error *err);
/* Read the points of an opened one; of one that is to be added to, cut off a torn last line.
 * LLMSIM_IO, also where no line of it is a point's; LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_journal_read(struct llmsim_journal *journal,
                                                         struct llmsim_error *err);
void llmsim_journal_close(struct llmsim_journal *journal);

static inline bool llmsim_journal_has(const struct llmsim_journal *journal, uint64_t point)
{
    return journal->ends[point] != 0;
}

/* Append a point. `row` has no line end. LLMSIM_IO; the file is then as it was. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_journal_add(struct llmsim_journal *journal,
                                                        uint64_t point, enum llmsim_status status,
                                                        const char *row, struct llmsim_error *err);

/* The row of a finished point into `row`, a buffer from malloc that grows, NUL-terminated. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_journal_row(const struct llmsim_journal *journal,
                                                        uint64_t point, char **row,
                                                        size_t *capacity, struct llmsim_error *err);

#endif
