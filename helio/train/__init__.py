"""Training: from labelled structures to a force field.

Data: importers read files of any layout into a `Store` (one HDF5 file in eV, A and e); a `Loader` streams it, shuffled
and resumable, as `Batch`es of few shapes. Imports `force_field`, `simulate`, `files` and below, never plotting.

What the loop may rely on:

- `import_files` and `write_store` (`helio.train.importing`) make a store from files, or from structures as they come.
- `Store(path)` opens a store; `len(store)`, `store.levels` and `store.sources` (names, by number), `store.close()`.
  `store.verify()` finds bytes that have changed since it was written.
- `Loader(store, indices, short_cutoff=, long_cutoff=, structures_per_batch=, atoms_per_batch=None, seed=0,
  shuffle=True, epochs=None, blocks=1, host=(0, 1), reference_energies=None, level_weights={}, source_weights={},
  workers=0, place=None)` is an iterator of `Batch`es. `indices` are numbers of structures in the store. `epochs` None
  goes on for ever; 1 without shuffling is a pass over a validation set, `restart()` begins another. With `blocks` D
  every B is a multiple of D; `host` (number, count) gives each of several processes its share of the rows of the same
  batches. `place` is applied to each batch ahead of time, in a thread of its own (scopes of JAX settings end there): to
  send it to a device while the last one is trained on.
- `loader.state()` is a small dict of plain values: the position after the batches handed out so far;
  `loader.restore(state)` goes on from there, with the same batches as if never interrupted. `HelioError` where the
  structures, the sizes or the seed are not those that the state was made with.
- `loader.batches_per_epoch`, `loader.epoch`, `loader.shapes`, `loader.waste()` (shares of padding in atoms, pairs and
  structures) and `loader.waited` (seconds spent waiting for data).
- Energies are labels less the atoms' reference energies, `reference_energies[level, Z]` in eV: fitted by
  `fitted_energies(store, indices)` or given (`helio.train.reference_energies`); a model file should keep them.
- Structures that are periodic stand in batches of their own, with `batch.system.pbc` (static) set: evaluate these with
  the long-range cutoff that the loader was given, and others with none.
"""
