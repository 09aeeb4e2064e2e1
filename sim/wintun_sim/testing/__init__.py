"""What tests of programs that use the adapter need. `strategies` has hypothesis strategies (install hypothesis)."""
