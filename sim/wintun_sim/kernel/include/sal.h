/* SPDX-License-Identifier: MIT
 *
 * Microsoft's source annotations for buffers, parameters and results, as macros without effect.
 *
 * They tell a static analyser what a function expects; nothing of the program depends on them. Names and meaning:
 * learn.microsoft.com/cpp/code-quality/using-sal-annotations-to-reduce-c-cpp-code-defects.
 */
#ifndef NT_SAL_H
#define NT_SAL_H

#if !defined(_WIN32) || !defined(_In_)
#define _In_
#define _In_z_
#define _In_opt_
#define _In_opt_z_
#define _In_reads_(count)
#define _In_reads_opt_(count)
#define _In_reads_z_(count)
#define _In_reads_or_z_(count)
#define _In_reads_bytes_(bytes)
#define _In_reads_bytes_opt_(bytes)
#define _In_reads_to_ptr_(pointer)
#define _In_range_(low, high)
#define _In_function_class_(name)
#define _Inout_
#define _Inout_z_
#define _Inout_opt_
#define _Inout_opt_z_
#define _Inout_updates_(count)
#define _Inout_updates_opt_(count)
#define _Inout_updates_z_(count)
#define _Inout_updates_bytes_(bytes)
#define _Inout_updates_bytes_opt_(bytes)
#define _Inout_updates_to_(size, count)
#define _Inout_updates_bytes_to_(size, count)
#define _Out_
#define _Out_opt_
#define _Out_writes_(count)
#define _Out_writes_opt_(count)
#define _Out_writes_z_(count)
#define _Out_writes_opt_z_(count)
#define _Out_writes_all_(count)
#define _Out_writes_to_(size, count)
#define _Out_writes_bytes_(bytes)
#define _Out_writes_bytes_opt_(bytes)
#define _Out_writes_bytes_all_(bytes)
#define _Out_writes_bytes_to_(size, count)
#define _Out_writes_bytes_to_opt_(size, count)
#define _Out_range_(low, high)
#define _Outptr_
#define _Outptr_opt_
#define _Outptr_result_maybenull_
#define _Outptr_opt_result_maybenull_
#define _Outptr_result_nullonfailure_
#define _Outptr_result_bytebuffer_(bytes)
#define _Outptr_result_buffer_(count)
#define _COM_Outptr_
#define _Reserved_
#define _Const_
#define _Ret_
#define _Ret_maybenull_
#define _Ret_notnull_
#define _Ret_null_
#define _Ret_valid_
#define _Ret_opt_
#define _Ret_z_
#define _Ret_range_(low, high)
#define _Ret_writes_(count)
#define _Ret_writes_maybenull_(count)
#define _Ret_writes_bytes_(bytes)
#define _Ret_writes_bytes_maybenull_(bytes)
#define _Pre_
#define _Pre_z_
#define _Pre_valid_
#define _Pre_null_
#define _Pre_notnull_
#define _Pre_maybenull_
#define _Pre_invalid_
#define _Pre_unknown_
#define _Pre_equal_to_(expression)
#define _Pre_satisfies_(condition)
#define _Pre_readable_size_(count)
#define _Pre_writable_size_(count)
#define _Pre_readable_byte_size_(bytes)
#define _Pre_writable_byte_size_(bytes)
#define _Prepost_z_
#define _Post_
#define _Post_z_
#define _Post_valid_
#define _Post_invalid_
#define _Post_notnull_
#define _Post_maybenull_
#define _Post_ptr_invalid_
#define _Post_equal_to_(expression)
#define _Post_satisfies_(condition)
#define _Post_readable_size_(count)
#define _Post_writable_size_(count)
#define _Post_readable_byte_size_(bytes)
#define _Post_writable_byte_size_(bytes)
#define _Deref_pre_
#define _Deref_post_
#define _Deref_out_
#define _Deref_out_opt_
#define _Deref_in_range_(low, high)
#define _Deref_out_range_(low, high)
#define _Field_size_(count)
#define _Field_size_opt_(count)
#define _Field_size_part_(size, count)
#define _Field_size_full_(count)
#define _Field_size_bytes_(bytes)
#define _Field_size_bytes_opt_(bytes)
#define _Field_size_bytes_part_(size, count)
#define _Field_size_bytes_full_(bytes)
#define _Field_range_(low, high)
#define _Field_z_
#define _Struct_size_bytes_(bytes)
#define _Null_
#define _Notnull_
#define _Maybenull_
#define _Valid_
#define _Notvalid_
#define _Points_to_data_
#define _Readable_bytes_(bytes)
#define _Readable_elements_(count)
#define _Writable_bytes_(bytes)
#define _Writable_elements_(count)
#define _Null_terminated_
#define _NullNull_terminated_
#define _Literal_
#define _Notliteral_
#define _Printf_format_string_
#define _Scanf_format_string_
#define _Success_(condition)
#define _Return_type_success_(condition)
#define _Always_(annotations)
#define _On_failure_(annotations)
#define _When_(condition, annotations)
#define _At_(target, annotations)
#define _At_buffer_(target, iterator, bound, annotations)
#define _Group_(annotations)
#define _Check_return_
#define _Check_return_opt_
#define _Must_inspect_result_
#define _Result_nullonfailure_
#define _Result_zeroonfailure_
#define _Use_decl_annotations_
#define _Notref_
#define _Unchanged_(target)
#define _Satisfies_(condition)
#define _Strict_type_match_
#define _Enum_is_bitflag_
#define _Interlocked_operand_
#define _Guarded_by_(lock)
#define _Write_guarded_by_(lock)
#define _Has_lock_kind_(kind)
#define _Has_lock_level_(level)
#define _Creates_lock_level_(level)
#define _Lock_level_order_(first, second)
#define _Acquires_lock_(lock)
#define _Acquires_exclusive_lock_(lock)
#define _Acquires_shared_lock_(lock)
#define _Acquires_nonreentrant_lock_(lock)
#define _Releases_lock_(lock)
#define _Releases_exclusive_lock_(lock)
#define _Releases_shared_lock_(lock)
#define _Releases_nonreentrant_lock_(lock)
#define _Requires_lock_held_(lock)
#define _Requires_lock_not_held_(lock)
#define _Requires_no_locks_held_
#define _Requires_shared_lock_held_(lock)
#define _Requires_exclusive_lock_held_(lock)
#define _Post_same_lock_(first, second)
#define _Internal_lock_level_
#define _No_competing_thread_
#define _Analysis_assume_(condition)
#define _Analysis_assume_lock_held_(lock)
#define _Analysis_assume_lock_not_held_(lock)
#define _Analysis_assume_same_lock_(first, second)
#define _Analysis_assume_nullterminated_(string)
#define _Analysis_noreturn_
#define _Analysis_mode_(mode)
#endif
#define __analysis_assume(condition) ((void)0)
#define __analysis_assert(condition) ((void)0)
#define __callback
#define __checkReturn

#endif
