"""Wrong answers to the KV cache."""
import dataclasses

import numpy as np

from minigpt.reference.kv_cache import KVCache, LayerCache
from mistakes import mistake


class WithLayers(KVCache):
    """A KVCache whose layers are of a kind of their own."""

    kind = LayerCache

    def __init__(self, config, capacity=None):
        super().__init__(config, capacity)
        self.layers = [self.kind(self, layer) for layer in range(config.n_layer)]


@mistake("KVCache", "positions begin at 0 with every call; they go on where the cache ends (equation 1)")
class PositionsRestart(KVCache):
    def reserve(self, ids, key_mask=None):
        self.positions = super().reserve(ids, key_mask) - self.length
        return self.positions


@mistake("KVCache", "positions are one too far once the cache holds something (equation 1)")
class PositionsOneTooFar(KVCache):
    def reserve(self, ids, key_mask=None):
        self.positions = np.minimum(super().reserve(ids, key_mask) + (self.length > 0), self.config.context_length - 1)
        return self.positions


@mistake("KVCache", "padding is counted as a position: the real tokens of a row are counted by themselves")
class PaddingCounted(KVCache):
    def reserve(self, ids, key_mask=None):
        super().reserve(ids, key_mask)
        self.positions = np.arange(self.length, self.length + ids.shape[1])
        return self.positions


@mistake("KVCache", "all rows have the positions of the first; with padding each row has its own")
class PositionsOfTheFirstRow(KVCache):
    def reserve(self, ids, key_mask=None):
        positions = super().reserve(ids, key_mask)
        self.positions = positions if positions.ndim == 1 else positions[:1].repeat(len(ids), axis=0)
        return self.positions


@mistake("KVCache", "padding is attended: its key_mask is forgotten")
class PaddingAttended(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            return *super().append(k, v)[:2], None


@mistake("KVCache", "padding is attended once more tokens have come: the key_mask is that of the last call only")
class PaddingAttendedLater(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, values, mask = super().append(k, v)
            if mask is not None:
                mask = mask.copy()
                mask[:, :self.whole.length] = True
            return keys, values, mask


@mistake("KVCache", "a key_mask that comes later is ignored")
class LaterMaskIgnored(KVCache):
    def reserve(self, ids, key_mask=None):
        return super().reserve(ids, key_mask if self.length == 0 else None)


@mistake("KVCache", "new keys and values are written over the first ones; they stand behind them (equation 2)")
class WrittenOver(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, values, mask = super().append(k, v)
            for whole, new in ((keys, k), (values, v)):
                whole[:, :, :new.shape[2]] = new
            return keys, values, mask


@mistake("KVCache", "the values are not kept: keys are returned in their place (equation 2)")
class KeysForValues(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, _, mask = super().append(k, v)
            return keys, keys, mask


@mistake("KVCache", "all layers share one place; each has its own keys and values (equation 2)")
class OnePlaceForAllLayers(WithLayers):
    class kind(LayerCache):
        def __init__(self, whole, layer):
            super().__init__(whole, 0)


@mistake("KVCache", "only the new keys and values are returned; attention needs the old ones too (equation 3)")
class NewOnesOnly(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            super().append(k, v)
            return k, v, None


@mistake("KVCache", "the empty places are returned too, and attended: only length + T are filled (equation 3)")
class EmptyPlacesReturned(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            mask = super().append(k, v)[2]
            return self.whole.keys[self.layer], self.whole.values[self.layer], mask


@mistake("KVCache", "the first layer that reads moves the length on, so the next ones write too far (equation 4)")
class LengthMovesWithEachLayer(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            result = super().append(k, v)
            if self.layer == 0:
                self.whole.length += k.shape[2]
            return result

    def advance(self):
        pass


@mistake("KVCache", "the past is copied with every token, which costs more the longer the text; write into one place")
class Concatenated(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, values, mask = super().append(k, v)
            return keys.copy(), values.copy(), mask


@mistake("KVCache", "the arrays of the first call are kept, not copied: who changes them changes the cache")
class NotACopy(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, values, mask = super().append(k, v)
            return (k, v, mask) if self.whole.length == 0 else (keys, values, mask)


@mistake("KVCache", "going back does not shorten the text")
class RewindIgnored(KVCache):
    def rewind(self, length):
        kept = self.length
        super().rewind(length)
        self.length = kept


@mistake("KVCache", "going back makes the cache empty, whatever length is asked for")
class RewindForgetsAll(KVCache):
    def rewind(self, length):
        super().rewind(length)
        self.length = 0


@mistake("KVCache", "one can go back to where the text has not been yet")
class RewindForwards(KVCache):
    def rewind(self, length):
        self.length = length


@mistake("KVCache", "a full cache forgets what came first without a word; it refuses")
class ForgetsTheFirst(KVCache):
    def reserve(self, ids, key_mask=None):
        if self.length + ids.shape[1] > self.capacity:
            kept = max(0, self.capacity - ids.shape[1])
            for whole in (self.keys, self.values):
                whole[:, :, :, :kept] = whole[:, :, :, self.length - kept:self.length].copy()
            self.length = kept
        return super().reserve(ids, key_mask)


@mistake("KVCache", "capacity is ignored: the context is the only limit")
class CapacityIgnored(KVCache):
    def __init__(self, config, capacity=None):
        super().__init__(config, capacity)
        self.capacity = config.context_length


@mistake("KVCache", "a capacity that the model's context cannot hold is accepted")
class CapacityBeyondTheContext(KVCache):
    def __init__(self, config, capacity=None):
        super().__init__(config, None if capacity is None else min(max(capacity, 1), config.context_length))


@mistake("KVCache", "a model that reads both ways is accepted: later tokens would change what was kept")
class BothWaysAccepted(KVCache):
    def __init__(self, config, capacity=None):
        super().__init__(dataclasses.replace(config, causal=True), capacity)


@mistake("KVCache", "everything is kept as float32, whatever the model computes in")
class Float32Always(WithLayers):
    class kind(LayerCache):
        def append(self, k, v):
            keys, values, mask = super().append(k.astype(np.float32), v.astype(np.float32))
            return keys, values, mask


@mistake("KVCache", "a batch of another size is broadcast into the rows of the one before; it is refused")
class AnyRows(KVCache):
    def reserve(self, ids, key_mask=None):
        rows = len(ids) if self.keys is None else self.keys.shape[1]
        return super().reserve(np.broadcast_to(ids[:1], (rows, ids.shape[1])), key_mask)


@mistake("KVCache", "keep() keeps everything, also where the other text differs")
class KeepsAll(KVCache):
    def keep(self, ids):
        super().keep(ids if self.ids is None else np.append(self.ids[0, :self.length], 0)[:len(ids)])


@mistake("KVCache", "keep() forgets everything as soon as the other text differs somewhere")
class KeepsAllOrNothing(KVCache):
    def keep(self, ids):
        before = self.length
        super().keep(ids)
        self.length = self.length if self.length == before else 0


@mistake("KVCache", "keep() keeps the last token of the other text as well, and nothing is left to be read")
class KeepsTheLastToo(KVCache):
    def keep(self, ids):
        super().keep(np.append(ids, 0))


@mistake("KVCache", "keep() counts the tokens that are alike at any place; only a common beginning is of use")
class KeepsLaterOnes(KVCache):
    def keep(self, ids):
        n = min(self.length, len(ids) - 1)
        self.rewind(int((self.ids[0, :n] == ids[:n]).sum()) if n > 0 else 0)


@mistake("KVCache", "keep() compares with the first row of several")
class KeepsByTheFirstRow(KVCache):
    def keep(self, ids):
        real, rows, self.real, self.ids = self.real, self.ids, None, None if self.ids is None else self.ids[:1]
        super().keep(ids)
        self.real, self.ids = real, rows
