/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clone has its source's generator, state and all.  Linux reseeds it by
 * itself only when the vmgenid device notifies it, which Xen's does not.
 */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef RNDRESEEDCRNG /* Linux 4.17 */
#define RNDRESEEDCRNG _IO('R', 0x07)
#endif

/* struct rand_pool_info, whose last member has no length */
struct pool_info {
    int entropy_bits;
    int bytes;
    uint8_t seed[SEED_BYTES];
};
_Static_assert(offsetof(struct pool_info, seed) ==
                   offsetof(struct rand_pool_info, buf),
               "as the kernel has it");

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool seed_decode(const char *hex, uint8_t seed_out[SEED_BYTES])
{
    size_t i;

    if (strnlen(hex, 2 * SEED_BYTES + 1) != 2 * SEED_BYTES)
        return false;
    for (i = 0; i < 2 * SEED_BYTES; i++)
        if (digit(hex[i]) < 0)
            return false;
    for (i = 0; i < SEED_BYTES; i++)
        seed_out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return true;
}

static int read_seed(struct store *store, uint8_t seed_out[SEED_BYTES])
{
    char hex[2 * SEED_BYTES + 1];
    int rc = store_read(store, "fork/entropy", hex, sizeof(hex));

    if (rc == 0 && !seed_decode(hex, seed_out))
        rc = -EINVAL;
    explicit_bzero(hex, sizeof(hex));
    return rc;
}

static int mix_in(int fd, const struct pool_info *pool, const char *generation)
{
    size_t bytes = strlen(generation);

    /* Not secret, so not counted as entropy; but no two clones have the same.
     */
    if (write(fd, generation, bytes) != (ssize_t)bytes)
        return errno ? -errno : -EIO;
    if (pool->bytes > 0 && ioctl(fd, RNDADDENTROPY, pool) < 0)
        return -errno;
    if (ioctl(fd, RNDRESEEDCRNG) < 0)
        return -errno;
    return 0;
}

int random_reseed(struct store *store, const char *device,
                  const char *generation)
{
    struct pool_info pool = {0};
    int fd = open(device, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    int seed_rc, rc;

    if (fd < 0)
        return -errno;
    seed_rc = read_seed(store, pool.seed);
    if (seed_rc == 0) {
        pool.bytes = SEED_BYTES;
        pool.entropy_bits = 8 * SEED_BYTES;
    }
    rc = mix_in(fd, &pool, generation);
    explicit_bzero(&pool, sizeof(pool));
    close(fd);
    return rc < 0 ? rc : seed_rc;
}
