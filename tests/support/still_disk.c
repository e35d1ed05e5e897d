/* A disk that stands still: while the file exists that DISK_STANDS_STILL names, nothing is brought to
   the disk. Preloaded into the exporter. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_disk(void) {
    const char *file = getenv("DISK_STANDS_STILL");
    while (file && access(file, F_OK) == 0) usleep(5000);
}

int fsync(int fd) {
    wait_for_disk();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    wait_for_disk();
    return (int)syscall(SYS_fdatasync, fd);
}
