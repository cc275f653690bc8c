"""Generation of frameworks: a variational autoencoder whose decoder is a diffusion of blocks on a torus.

Fu, Xie, Rosen, Jaakkola, Smith, ICLR 2024 (arXiv 2310.10732). Reading order:

| file | what |
|---|---|
| `torus` | fractional coordinates, reduced cells, nearest images |
| `schedules` | how noise grows, and one step back: of places (exploding variance), of embeddings (preserved variance) |
| `pairs`, `equivariant` | waves of the differences of all pairs; the network on them |
| `block_graphs`, `block_encoder`, `embedding` | from a building block to an embedding, and back |
| `scaling` | the units in which the networks see things |
| `vae`, `heads`, `diffusion`, `terms` | the parts of the generative model, and its loss |
| `settings`, `data`, `training` | from a store of frameworks to a model file |
| `model_file` | one file with networks, scales and the library of blocks |
| `prior`, `wishes`, `optimise` | draws of latents; latents for a wish |
| `sampling`, `guidance` | from latents to places and embeddings; wishes on the way |
| `retrieval`, `proportions` | blocks for embeddings, all of a framework together; how large cells are for blocks |
| `generation` | the commands' work: wishes in, a store of frameworks out |
| `measures` | how good a model and its samples are |

Letters: G blocks of a cell (padded in batches, with a mask), B frameworks in a batch, C channels of an embedding, F
features, D latent numbers, L labels, K waves. Networks work on one framework, batches by `jax.vmap`.
Places are fractional; lengths in a network are in units of the cube root of the cell's volume.
"""
