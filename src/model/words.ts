/** The word lists of generated names: `amber_heron`. Plain words, no people, nothing that could offend anyone. */
export const ADJECTIVES: readonly string[] =
  `agile airy alert amber ample azure balmy bold brave breezy bright brisk calm candid careful cheery chirpy clear
  clever coastal cosy crisp curious daring deft dewy eager early earnest easy elated fair fancy fast feathery fleet
  fluent focused fond frank fresh friendly frosty gentle giddy glad golden graceful grand happy hardy hasty hazel
  hearty honest humble jaunty jolly jovial keen kind leafy lively loyal lucid lucky lunar mellow merry mild mindful
  misty modest mossy neat nifty nimble noble opal patient peaceful peppy plucky polite prime proud quick quiet ready
  rosy rustic sandy serene sharp silent silver sleek smart snowy snug solar spry steady still sturdy sunny swift tidy
  trusty upbeat velvet vivid warm wise witty zesty`.split(/\s+/);

export const NOUNS: readonly string[] =
  `acacia alder alpaca ash aspen aster badger bamboo barley beaver beech birch bison bluebell bramble bream buzzard
  carp cedar chamois cherry clover condor cormorant cowslip crane cricket crocus curlew cypress dahlia daisy dolphin
  dormouse dove dunlin egret eider elder elk elm falcon fennel fern ferret finch fir foxglove gannet gazelle gecko
  gentian ginkgo goldfinch gorse grebe grouse gull hare hawthorn hazel heather hedgehog heron holly hornbeam hyacinth
  ibex ibis iris ivy jackdaw jasmine juniper kestrel kingfisher kite koala lapwing larch lark laurel lavender lemur
  lichen lilac lily linden linnet llama lotus lynx magnolia magpie maple marigold marlin marmot marten martin mimosa
  mole mulberry myrtle narwhal newt nightingale oak olive orchid oriole osprey otter owl panda partridge pelican peony
  perch petrel pheasant pine pipit plaice plover poplar poppy primrose puffin quail quince rabbit raven redstart reed
  robin rook rowan rush sage salmon sandpiper seal sequoia shrew siskin skylark snipe snowdrop sorrel sparrow spruce
  squirrel starling stoat stork sturgeon swallow swan swift sycamore tapir teal teasel tern thistle thrush thyme toad
  trout tulip turtle vervain viola violet vole wagtail walnut warbler weasel whale willow wombat woodcock wren yarrow
  yew zebra`.split(/\s+/);
