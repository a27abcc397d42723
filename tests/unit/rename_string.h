/* SPDX-License-Identifier: MIT */
/*
 * Force-included when core/lib/string.c is compiled for the host, and by its
 * test: there the C library's functions keep their names.
 */
#ifndef TESTS_UNIT_RENAME_STRING_H
#define TESTS_UNIT_RENAME_STRING_H

#define memcpy nb_memcpy
#define memmove nb_memmove
#define memset nb_memset
#define memcmp nb_memcmp
#define strlen nb_strlen
#define strnlen nb_strnlen
#define strcmp nb_strcmp
#define strncmp nb_strncmp
#define strchr nb_strchr
#define strrchr nb_strrchr
#define strstr nb_strstr

#endif
