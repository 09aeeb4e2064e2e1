/* An adapter's configuration. This machine has no registry, so every keyword is absent, but for the two that NDIS
 * itself answers without one (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisreadconfiguration).
 */
#include "ndis_header.h"
#include "ndis_room.h"

#include <string.h>

/* Its address is the configuration handle: a BLOCK_CONFIGURATION. What was read stays until it is closed. */
struct configuration
{
    NDIS_CONFIGURATION_PARAMETER value;
};

static const struct object_form CONFIGURATION = {
    .name = "NDIS_CONFIGURATION_OBJECT",
    .type = NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
    .parameter = 0x21,
    .whole = sizeof(NDIS_CONFIGURATION_OBJECT),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1}}};

/* NDIS_ENVIRONMENT_TYPE's NdisEnvironmentWindowsNt. */
static const ULONG WINDOWS_NT = 1;

static bool is_called(const NDIS_STRING *keyword, const char *name)
{
    const size_t length = strlen(name);
    if (keyword->Buffer == NULL || keyword->Length != length * sizeof(WCHAR))
        return false;
    for (size_t index = 0; index < length; index++)
        if (keyword->Buffer[index] != (WCHAR)name[index])
            return false;
    return true;
}

/* IRQL = PASSIVE_LEVEL. */
NDIS_STATUS NTAPI NdisOpenConfigurationEx(PNDIS_CONFIGURATION_OBJECT ConfigObject, PNDIS_HANDLE ConfigurationHandle)
{
    static const char function[] = "NdisOpenConfigurationEx";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    *ConfigurationHandle = NULL;
    if (!object_check(&ConfigObject->Header, &CONFIGURATION, ANY_NDIS))
        return NDIS_STATUS_INVALID_PARAMETER;
    if (fault_strikes(HOST_FAULT_POOL))
        return NDIS_STATUS_RESOURCES;
    struct configuration *configuration = arena_allocate(BLOCK_CONFIGURATION, sizeof *configuration, 0, function);
    if (configuration == NULL)
        return NDIS_STATUS_RESOURCES;
    memset(configuration, 0, sizeof *configuration);
    *ConfigurationHandle = configuration;
    return NDIS_STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. What it gives lives until the configuration is closed, or the next value is read from it. */
VOID NTAPI NdisReadConfiguration(PNDIS_STATUS Status, PNDIS_CONFIGURATION_PARAMETER *ParameterValue,
                                 NDIS_HANDLE ConfigurationHandle, PNDIS_STRING Keyword,
                                 NDIS_PARAMETER_TYPE ParameterType)
{
    static const char function[] = "NdisReadConfiguration";
    (void)ParameterType;
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    *Status = NDIS_STATUS_FAILURE;
    *ParameterValue = NULL;
    if (arena_live_block(BLOCK_CONFIGURATION, ConfigurationHandle) == NULL)
    {
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was given a handle that is no open configuration's", function);
        return;
    }
    struct configuration *configuration = ConfigurationHandle;
    configuration->value.ParameterType = NdisParameterInteger;
    if (is_called(Keyword, "Environment"))
        configuration->value.ParameterData.IntegerData = WINDOWS_NT;
    else if (is_called(Keyword, "NdisVersion"))
        configuration->value.ParameterData.IntegerData = current_host->ndis->version;
    else
        return;
    *ParameterValue = &configuration->value;
    *Status = NDIS_STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. */
VOID NTAPI NdisCloseConfiguration(NDIS_HANDLE ConfigurationHandle)
{
    static const char function[] = "NdisCloseConfiguration";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (arena_live_block(BLOCK_CONFIGURATION, ConfigurationHandle) == NULL)
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was given a handle that is no open configuration's", function);
    else
        arena_free(BLOCK_CONFIGURATION, ConfigurationHandle, 0, function);
}
