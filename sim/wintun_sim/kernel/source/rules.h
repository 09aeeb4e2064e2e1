/* Broken rules. A rule is named as Microsoft names it: the Static Driver Verifier or Driver Verifier rule, or, where
 * there is none, the bug check (BAD_POOL_CALLER) or the documentation's own check. rules.c knows the page and the bug
 * check of each name.
 */
#ifndef WINTUN_SIM_RULES_H
#define WINTUN_SIM_RULES_H

/* Logs HOST_EVENT_RULE_BROKEN for the current actor's operation, once per rule and operation, with the handler, the
 * words of `format`, the rule's page and bug check. Never stops the run. `rule` is a literal; messages must not show
 * addresses.
 */
void rule_broken(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Likewise, however often that rule was reported for the operation. */
void rule_found(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Checks lowest <= IRQL <= highest at a call of `function`; reports `rule` and returns false if not. */
_Bool rule_irql(const char *rule, const char *function, unsigned lowest, unsigned highest);

/* Reports `rule` if the current actor holds any spin lock; returns whether it holds none. */
_Bool rule_no_spin_lock(const char *rule, const char *function);

#endif
