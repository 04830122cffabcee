/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>

#include <json-c/json.h>

/* null if @value is NULL or empty, which is how the tools say that something is not known */
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);

#endif /* JSON_H */
