/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef FILE_H
#define FILE_H

/* What one writes to a file of the kernel's. 0 or an errno value. */
int file_write(const char *path, const char *text);

#endif /* FILE_H */
