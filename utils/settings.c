// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include "first_line.h"
#include "settings.h"

void settings_read(struct settings *settings)
{
	char charge_all[8];

	first_line(settings->policy, sizeof(settings->policy), PIN_POLICY_FILE);
	first_line(charge_all, sizeof(charge_all),
		   "/sys/module/ib_uverbs/parameters/dmabuf_charge_all");
	settings->charge_all = charge_all[0] == 'Y';
}
