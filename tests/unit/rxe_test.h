/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* cmocka with the headers that it wants before its own, and the mocked kernel. */
#ifndef RXE_TEST_H
#define RXE_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rxe_mock.h"

#endif /* RXE_TEST_H */
