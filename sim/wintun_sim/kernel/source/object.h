/* The object manager, as far as a miniport meets it: references that drivers hold on file, device and process objects,
 * and the handles that they open. Everything is counted for each image, so that nobody gives back what another holds,
 * and what is left at the unload is named.
 */
#ifndef WINTUN_SIM_OBJECT_H
#define WINTUN_SIM_OBJECT_H

#include "io_room.h"

#include <ntifs.h>

enum object_type
{
    OBJECT_NONE,
    OBJECT_FILE,
    OBJECT_DEVICE,
    OBJECT_PROCESS
};

/* What one image holds on one object. */
struct object_reference
{
    struct object_reference *next;
    void *object;
    uint32_t count;
    uint16_t image;
    uint8_t type; /* enum object_type */
};

struct object_handle
{
    struct object_handle *next;
    uint64_t value;
    void *object;
    ACCESS_MASK access;
    ULONG attributes;
    uint16_t image;
    uint8_t type;
};

/* Whoever opened a file object; and, with the id 4, the system itself (process.c). */
struct process
{
    struct process *next;
    uint64_t id;
    uint32_t references;
    bool gone; /* its file object is closed */
};

struct symbolic_link
{
    struct symbolic_link *next;
    uint16_t image;
    uint16_t name_length; /* in UTF-16 units */
    uint16_t target_length;
    WCHAR name[128];
    WCHAR target[128];
};

struct attachment
{
    struct attachment *next; /* newest first */
    const struct actor *actor;
    const KAPC_STATE *state;
    struct process *process;
};

struct object_room
{
    struct object_reference *references;
    struct object_handle *handles;
    struct process *processes;
    struct symbolic_link *links;
    struct notification *notifications;
    struct attachment *attachments;
    uint32_t handles_made;
};

/* References (object.c). Called by an actor. */

enum object_type object_type_of(const void *object);
const char *object_type_name(enum object_type type);

/* Takes a reference for the image that runs. False when there is no memory. */
bool object_take(void *object, enum object_type type);

/* How many references and handles drivers hold on it. */
uint32_t object_holds(const void *object);

/* Reports and takes back what an image still holds; `where` says when. */
void object_check_leaks(uint16_t image, const char *where);

/* Reports what an image holds on file objects of its own devices, for which its unload would wait. */
void object_check_own_files(const struct miniport *miniport);

/* The object of a handle of that type (OBJECT_NONE: any), NULL when there is none. */
struct object_handle *object_handle_find(HANDLE handle);

/* Handles of clients (handles.c) */

/* Closes the handle of that value in that process; false when there is none. PASSIVE_LEVEL. */
bool client_handle_close(uint64_t process, HANDLE handle);
/* To be called when a request of the file object is complete, or a reference is gone. */
void client_closed(struct host_file *file);

/* Names (io_name.c) */

bool link_is_taken(const UNICODE_STRING *name);
void name_check_leaks(struct miniport *miniport, const char *where);

/* Processes (process.c) */

struct process *process_of(const void *object);
/* The id of the process that opened a file object; of 0, the system's. */
uint64_t process_id_of_file(uint32_t file);
/* Whose the current actor's address space is. */
uint64_t process_current_id(void);
void process_release(struct process *process);
/* To be called when a file object is gone. */
void process_exit(uint32_t file);
/* A handler returned to the host while the actor is attached to a process. */
void process_detach_all(struct actor *actor);

/* Device interfaces (pnp.c): that of the adapter of this index comes or goes. */
void interface_changed(uint32_t index, bool arrives);
void interface_check_leaks(const struct image *image, const char *where);

extern const struct export pnp_exports[];
extern const struct export object_exports[];
extern const struct export io_name_exports[];
extern const struct export process_exports[];
extern const struct export descriptor_exports[];

#endif
