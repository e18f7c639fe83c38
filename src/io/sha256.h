/* sha256.h: SHA-256, by OpenSSL's functions of the algorithm itself.
 *
 * Its newer interface (EVP) fetches the algorithm from a provider: five thousand allocations for
 * the first hash of a process, and where one of them fails OpenSSL 3.0 ends the process by a
 * signal. These allocate nothing, and cannot fail. */
#ifndef LLMSIM_IO_SHA256_H
#define LLMSIM_IO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define LLMSIM_SHA256_TEXT 65 /* bytes of a hash in hexadecimal, with its NUL */

struct llmsim_sha256 {
    uint64_t state[24]; /* OpenSSL's */
};

void llmsim_sha256_init(struct llmsim_sha256 *sha);
void llmsim_sha256_update(struct llmsim_sha256 *sha, const void *bytes, size_t n);
/* In lower case. */
void llmsim_sha256_final(struct llmsim_sha256 *sha, char hex[static LLMSIM_SHA256_TEXT]);

#endif
